package failure_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// A whole /16, with 8 of 16 active endpoints, is dropped at once: a second after
// the second verdict the relay dials none of it, and nothing outside of it is
// condemned.
func TestWholePrefixDropped(t *testing.T) {
	t.Parallel()
	for _, s := range suites() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			inArena(t, options{suite: s, active: 16, halves: true}, func(a *arena) {
				a.block(within(blocker.Drop(), listed.String()))
				began := time.Now()
				soon := time.Second + worldtest.Tolerance()
				time.Sleep(time.Minute)
				verdicts := a.condemnedIn(listed)
				if len(verdicts) != 8 {
					t.Fatalf("%d verdicts", len(verdicts))
				}
				t.Logf("verdicts: the second after %s, the last after %s", verdicts[1].Sub(began), verdicts[7].Sub(began))
				a.mu.Lock()
				defer a.mu.Unlock()
				for _, d := range a.dials {
					if d.by == "relay" && worldtest.Took(verdicts[1], d.at) > soon && listed.Contains(netip.MustParseAddrPort(d.to).Addr()) {
						t.Errorf("%s is dialled %s after the second verdict", d.to, d.at.Sub(verdicts[1]))
					}
				}
			})
		})
	}
}

// One client alone, whose requests come faster than any verdict, dials at most two
// endpoints of the prefix.
func TestWholePrefixDroppedForOne(t *testing.T) {
	t.Parallel()
	inArena(t, options{suite: suites()[0], active: 16, halves: true, quiet: true}, func(a *arena) {
		name := ""
		for n := 0; name == ""; n++ {
			c := fmt.Sprintf("one-%d", n)
			l := a.pool.Lease(c)
			if e := l.Next(); listed.Contains(e.Spec().Addr) {
				name = c
			}
		}
		ask := func(times int) {
			for range times {
				go a.ask(name, "site.lab:80", "")
				time.Sleep(50 * time.Millisecond)
			}
		}
		ask(20)
		began := time.Now()
		a.block(within(blocker.Drop(), listed.String()))
		ask(200)
		time.Sleep(patience)
		into := make(map[string]bool)
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, d := range a.dials {
			if d.by == "relay" && !d.at.Before(began) && listed.Contains(netip.MustParseAddrPort(d.to).Addr()) {
				into[d.to] = true
			}
		}
		if len(into) == 0 || len(into) > 2 {
			t.Errorf("it dials %d endpoints of the prefix: %v", len(into), into)
		}
	})
}

// Two processes of a /16 with eight end: nothing else in it loses its place.
func TestTwoProcessesOfAPrefixEnd(t *testing.T) {
	t.Parallel()
	inArena(t, options{suite: suites()[0], active: 16, halves: true}, func(a *arena) {
		stopped := 0
		for _, h := range a.active() {
			if listed.Contains(h.Addr()) && stopped < 2 {
				stopped++
				h.Stop()
			}
		}
		for range 60 {
			time.Sleep(time.Second)
			if n := a.inState(policy.Active); n < 14 {
				t.Fatalf("%d are active", n)
			}
		}
		homes := make(map[string]bool)
		for n := range 500 {
			l := a.pool.Lease(fmt.Sprint(n))
			if e := l.Next(); listed.Contains(e.Spec().Addr) {
				homes[e.Name()] = true
			}
		}
		if len(homes) != 6 {
			t.Errorf("clients are sent to %d of the 6", len(homes))
		}
		if n := len(a.condemnedIn(listed)); n != 2 {
			t.Errorf("%d verdicts", n)
		}
	})
}

// listed is the prefix that half of the endpoints are in.
var listed = netip.MustParsePrefix("52.58.0.0/16")

// condemnedIn is when endpoints of the prefix were condemned; the test fails if
// any other was.
func (a *arena) condemnedIn(p netip.Prefix) (at []time.Time) {
	a.t.Helper()
	for _, ev := range a.eventsCopy() {
		if ev.Kind != pool.Changed || ev.To != policy.Dead || ev.From == policy.Dead {
			continue
		}
		if !p.Contains(ev.Endpoint.Spec().Addr) {
			a.t.Errorf("condemned without need: %s", ev)
		}
		at = append(at, ev.At)
	}
	return at
}
