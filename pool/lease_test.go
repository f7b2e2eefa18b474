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
