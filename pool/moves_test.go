package pool_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// A client that came while its home was in doubt is sent elsewhere. If home is
// cleared, it goes home; if home is replaced, it stays until its rotation.
func TestMovedClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := running(t, pool.Config{Prober: f}, 9)
		cs := clients(400)
		before := homes(p, cs)
		home := p.Endpoint(before[cs[0]])
		var here []string
		for _, c := range cs {
			if before[c] == home.Name() {
				here = append(here, c)
			}
		}
		w := p.Watch()
		defer w.Close()

		f.set(home.Name(), policy.Silent, policy.None)
		see(home, policy.Connect, policy.Silent)
		pass(10 * time.Millisecond)
		if home.State() != policy.Suspect {
			t.Fatalf("want home in doubt, got %s", home.State())
		}
		away := homes(p, here[:len(here)/2])
		for c, e := range away {
			if e == home.Name() {
				t.Errorf("%s was sent to a suspect", c)
			}
		}
		home.Report(policy.Evidence{Phase: policy.Greeting, Outcome: policy.Answered, Asked: time.Now(), At: time.Now()})
		pass(10 * time.Millisecond)
		if home.State() != policy.Active {
			t.Fatalf("want home cleared, got %s", home.State())
		}
		for _, c := range here {
			if got := first(p, c); got != home.Name() {
				t.Errorf("%s: want it back at home, got %s", c, got)
			}
		}

		pass(time.Second)
		see(home, policy.Connect, policy.Silent)
		pass(10 * time.Millisecond)
		if home.State() != policy.Suspect {
			t.Fatalf("want home in doubt again, got %s", home.State())
		}
		away = homes(p, here[:len(here)/2])
		pass(4 * silence)
		if home.State() != policy.Dead {
			t.Fatalf("want home dead, got %s", home.State())
		}
		heirs := make(map[string]bool)
		for n, c := range here {
			switch got := first(p, c); {
			case n < len(here)/2 && got != away[c]:
				t.Errorf("%s was moved to %s, and went on to %s", c, away[c], got)
			case n >= len(here)/2:
				heirs[got] = true
			}
		}
		if len(heirs) != 1 {
			t.Errorf("those who did not come in between: want all with the heir, got %v", heirs)
		}
		moved := 0
		for _, c := range here[:len(here)/2] {
			p.Rotate(c)
			if first(p, c) != away[c] {
				moved++
			}
		}
		if moved < len(here)/4 {
			t.Errorf("a rotation moves %d of %d", moved, len(here)/2)
		}
		pass(time.Second)
		told := 0
		for {
			ev, err := w.Next(closed(t))
			if err != nil {
				break
			}
			if ev.Kind == pool.Moved {
				told += ev.N
			}
		}
		if told < len(here) {
			t.Errorf("%d clients were moved, at least; told were %d", len(here), told)
		}
	})
}

// Each rotation gives a client a fresh order, at its own moment; clients that
// were moved before rotate like all others.
func TestRotateEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := running(t, pool.Config{Prober: f, RotateEvery: time.Hour}, 9)
		cs := clients(240)
		home := p.Endpoint(first(p, cs[0]))
		f.set(home.Name(), policy.Silent, policy.None)
		see(home, policy.Connect, policy.Silent)
		pass(10 * time.Millisecond)
		last := homes(p, cs) // some are moved
		pass(4 * silence)
		moves := make(map[string]int)
		for range 24 * 4 {
			pass(15 * time.Minute)
			now := homes(p, cs)
			n := 0
			for c := range now {
				if now[c] != last[c] {
					moves[c]++
					n++
				}
			}
			if n < len(cs)/20 || n > len(cs)/2 {
				t.Errorf("%d of %d clients moved in the same quarter of an hour", n, len(cs))
			}
			last = now
		}
		for _, c := range cs {
			if moves[c] < 12 || moves[c] > 24 {
				t.Errorf("%s was moved %d times in 24 rotations", c, moves[c])
			}
		}
	})
}
