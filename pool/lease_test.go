package pool_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

func TestLeaseOfNothing(t *testing.T) {
	var zero pool.Lease
	zero.Exclude(nil)
	if e := zero.Next(); e != nil {
		t.Errorf("the zero Lease offers %s", e.Name())
	}
	p, err := pool.New(pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(specs(4)...); err != nil {
		t.Fatal(err)
	}
	l := p.Lease("a")
	if e := l.Next(); e != nil {
		t.Errorf("before Run: %s of the reserve is offered", e.Name())
	}
}

// A lease offers each active endpoint once and none of the reserve; the second
// is in another prefix and of another provider than the first.
func TestLeaseOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, pool.Config{Prober: new(fake)}, 16)
		for _, c := range clients(200) {
			l := p.Lease(c)
			var offered []*pool.Endpoint
			for e := l.Next(); e != nil; e = l.Next() {
				if e.State() != policy.Active || slices.Contains(offered, e) {
					t.Fatalf("%s: %s is %s, or offered twice", c, e.Name(), e.State())
				}
				offered = append(offered, e)
			}
			if len(offered) != 8 {
				t.Fatalf("%s: want 8 offers, got %d", c, len(offered))
			}
			a, b := offered[0].Spec(), offered[1].Spec()
			if a.Provider == b.Provider || policy.Neighbourhood(a.Addr) == policy.Neighbourhood(b.Addr) {
				t.Errorf("%s: first %s of %s, second %s of %s", c, a, a.Provider, b, b.Provider)
			}
		}
	})
}

func TestLeaseIsSticky(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := running(t, pool.Config{Prober: f}, 9)
		cs := clients(400)
		before := homes(p, cs)
		pass(time.Hour)
		for c, e := range homes(p, cs) {
			if e != before[c] {
				t.Fatalf("%s went from %s to %s without need", c, before[c], e)
			}
		}
		lost := before[cs[0]]
		kill(t, p, f, lost, policy.Reset, policy.None)
		after := homes(p, cs)
		heir := after[cs[0]]
		for _, c := range cs {
			switch {
			case before[c] == lost && after[c] != heir:
				t.Errorf("%s was with the lost one, and is not with its heir %s but %s", c, heir, after[c])
			case before[c] != lost && after[c] != before[c]:
				t.Errorf("%s went from %s to %s, though it is there", c, before[c], after[c])
			}
		}
	})
}

func TestExclude(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := running(t, pool.Config{Active: 4, Prober: f}, 6)
		dead := first(p, "a")
		kill(t, p, f, dead, policy.Reset, policy.None)
		l := p.Lease("a")
		home := l.Next()
		l = p.Lease("a")
		l.Exclude(home)
		l.Exclude(p.Endpoint(dead))
		n := 0
		for e := l.Next(); e != nil; e = l.Next() {
			if e == home || e.Name() == dead {
				t.Errorf("%s was excluded", e.Name())
			}
			n++
		}
		if n != 3 {
			t.Errorf("want 3 offers, got %d", n)
		}
		// One request's second try does not move the client.
		if got := first(p, "a"); got != home.Name() {
			t.Errorf("want it at home with %s, got %s", home.Name(), got)
		}
	})
}

// When nothing is active, the least bad come first: suspects, the dead that may
// answer again, the frozen, and those that cannot work.
func TestPanicFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := running(t, pool.Config{Prober: f}, 5)
		frozen, wrong, early, late, suspect := spec(0).Name(), spec(1).Name(), spec(2).Name(), spec(3).Name(), spec(4).Name()
		kill(t, p, f, frozen, policy.Answered, policy.Stalled)
		kill(t, p, f, wrong, policy.Denied, policy.None)
		see(p.Endpoint(early), policy.Greeting, policy.Answered)
		pass(time.Second)
		see(p.Endpoint(late), policy.Greeting, policy.Answered)
		pass(time.Second)
		kill(t, p, f, early, policy.Reset, policy.None)
		kill(t, p, f, late, policy.Reset, policy.None)
		f.set(suspect, policy.Silent, policy.None)
		see(p.Endpoint(suspect), policy.Connect, policy.Silent)
		pass(10 * time.Millisecond)

		l := p.Lease("a")
		var got []string
		for e := l.Next(); e != nil; e = l.Next() {
			got = append(got, e.Name())
		}
		if want := []string{suspect, late, early, frozen, wrong}; !slices.Equal(got, want) {
			t.Errorf("want %q, got %q", want, got)
		}
		l = p.Lease("a")
		l.Exclude(p.Endpoint(late))
		l.Exclude(p.Endpoint(suspect))
		if e := l.Next(); e == nil || e.Name() != early {
			t.Errorf("want %s, the first that is not excluded, got %v", early, e)
		}
	})
}

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

func TestSelectorsInLeases(t *testing.T) {
	for name, want := range map[string]int{"sticky": 1, "random": 8, "round-robin": 8} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := policy.SelectorByName(name)
				if err != nil {
					t.Fatal(err)
				}
				p := running(t, pool.Config{Selector: s, Prober: new(fake)}, 8)
				got := make(map[string]int)
				for range 80 {
					got[first(p, "a")]++
				}
				if len(got) != want {
					t.Errorf("80 requests reach %d endpoints: %v", len(got), got)
				}
				if name == "round-robin" {
					for e, n := range got {
						if n != 10 {
							t.Errorf("%s: want 10 turns, got %d", e, n)
						}
					}
				}
			})
		})
	}
}

// The round-trip times that leases see follow the measured ones, without any
// change of state, and only when they differ for good.
func TestLeastLatencyFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, pool.Config{Active: 2, Selector: policy.LeastLatency, Prober: new(fake)}, 2)
		a, b := p.Endpoint(spec(0).Name()), p.Endpoint(spec(1).Name())
		measure := func(e *pool.Endpoint, rtt time.Duration) {
			for range 32 {
				e.Report(policy.Evidence{Phase: policy.Connect, Outcome: policy.Answered, Asked: time.Now(), At: time.Now(), Took: rtt})
			}
			pass(3 * time.Second)
		}
		measure(a, 100*time.Millisecond)
		measure(b, 30*time.Millisecond)
		if got := first(p, "x"); got != b.Name() {
			t.Errorf("want %s, the faster one, got %s", b.Name(), got)
		}
		measure(b, 200*time.Millisecond)
		if got := first(p, "x"); got != a.Name() {
			t.Errorf("want %s, the faster one now, got %s", a.Name(), got)
		}
		changed := p.Changed()
		measure(b, 195*time.Millisecond)
		select {
		case <-changed:
			t.Error("a new view for 5 ms")
		default:
		}
	})
}

func TestLeaseDoesNotAllocate(t *testing.T) {
	p := live(t, 8, 16)
	var bad *pool.Endpoint
	for _, s := range []string{"sticky", "client"} {
		n := testing.AllocsPerRun(100, func() {
			l := p.Lease(s)
			bad = l.Next()
			l.Next()
			l.Next()
			l = p.Lease(s)
			l.Exclude(bad)
			for e := l.Next(); e != nil; e = l.Next() {
				see(e, policy.Greeting, policy.Answered)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", s, n)
		}
	}
}
