package failure_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// table runs play for every suite with 8 active endpoints and 8 in reserve, and
// with 16 active ones; and once each at round trips that differ from provider to
// provider, and with packets that get lost at random.
func table(t *testing.T, play func(a *arena)) {
	t.Parallel()
	run := func(name string, o options) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if o.spread {
				worldtest.Needs(t, worldtest.Latency)
			}
			inArena(t, o, func(a *arena) {
				play(a)
				a.noneFails()
				a.neverDirect()
				a.log()
			})
		})
	}
	all := suites()
	for n, s := range all {
		run(s.name+"/8+8", options{suite: s, active: 8})
		if !brief() && (n == 0 || !raceDetector) {
			run(s.name+"/16", options{suite: s, active: 16})
		}
	}
	run("20 to 100 ms", options{suite: all[0], active: 8, spread: true})
	run("1 % lost", options{suite: all[len(all)/2], active: 8, loss: .01})
}

// sizes are how many endpoints are active, of 16.
func sizes() []int {
	if brief() {
		return []int{8}
	}
	return []int{8, 16}
}

// inSuites runs play in every suite, with 8 active endpoints and 8 in reserve.
func inSuites(t *testing.T, adjust, play func(a *arena)) {
	t.Parallel()
	for _, s := range suites() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			inArena(t, options{suite: s, active: 8, adjust: adjust}, play)
		})
	}
}

const hedge = 250 * time.Millisecond

func TestOneEndpointDropped(t *testing.T) {
	table(t, func(a *arena) {
		h, now := a.victim(), time.Now()
		a.block(against(blocker.Drop(), h))
		time.Sleep(time.Minute)
		a.paysAtMost(hedge, now, time.Now())
		a.cutsOnly(a.firstDrops(h), cutAfter)
		a.deadAre(h)
	})
}

func TestOneEndpointReset(t *testing.T) {
	table(t, func(a *arena) {
		h, now := a.victim(), time.Now()
		a.block(against(blocker.Reset(), h))
		time.Sleep(time.Minute)
		a.paysAtMost(2*rtt, now, time.Now())
		a.cutsOnly(map[netip.Addr]time.Time{h.Addr(): now}, cutAfter)
		a.deadAre(h)
	})
}

func TestOneEndpointDown(t *testing.T) {
	table(t, func(a *arena) {
		h, now := a.victim(), time.Now()
		h.Stop()
		time.Sleep(time.Minute)
		a.paysAtMost(2*rtt, now, time.Now())
		a.cutsOnly(map[netip.Addr]time.Time{h.Addr(): now}, cutAfter)
		a.deadAre(h)
	})
}

func TestOneHostVanishes(t *testing.T) {
	table(t, func(a *arena) {
		h, now := a.victim(), time.Now()
		h.Vanish()
		time.Sleep(time.Minute)
		a.paysAtMost(hedge, now, time.Now())
		a.cutsOnly(map[netip.Addr]time.Time{h.Addr(): now}, cutAfter)
		a.deadAre(h)
	})
}

func TestOneProcessHangs(t *testing.T) {
	table(t, func(a *arena) {
		h, now := a.victim(), time.Now()
		h.Hang()
		time.Sleep(time.Minute)
		a.paysAtMost(hedge, now, time.Now())
		a.cutsOnly(map[netip.Addr]time.Time{h.Addr(): now}, cutAfter)
		a.deadAre(h)
		if err := h.Start(); err != nil {
			a.t.Error(err)
		}
	})
}

// TestOneEndpointFrozen downloads objects of 64 KiB. Those that were caught in
// the freeze are lost; but no request is sent there 1.5 s after it began.
func TestOneEndpointFrozen(t *testing.T) {
	t.Parallel()
	for _, active := range sizes() {
		for _, by := range []string{"sticky", "round-robin"} {
			t.Run(fmt.Sprintf("%s/%d", by, active), func(t *testing.T) {
				t.Parallel()
				frozen(t, active, by)
			})
		}
	}
}

func frozen(t *testing.T, active int, by string) {
	selector, err := policy.SelectorByName(by)
	if err != nil {
		t.Fatal(err)
	}
	soon := 1500*time.Millisecond + worldtest.Tolerance()
	inArena(t, options{suite: suites()[0], active: active, path: "/64k", selector: selector}, func(a *arena) {
		h, now := a.victim(), time.Now()
		a.block(against(blocker.Freeze(16<<10), h))
		time.Sleep(time.Minute)
		all, whole := 0, 0
		for _, r := range a.since(now) {
			if r.start.Sub(now) > time.Minute-patience {
				continue // still under way
			}
			all++
			if r.whole {
				whole++
			}
			if r.via == h.Addr() && worldtest.Took(now, r.start) > soon {
				t.Errorf("a request was sent to the frozen endpoint %v after the freeze", r.start.Sub(now))
			}
		}
		for _, d := range a.dialsTo(h) {
			if d.by == "relay" && worldtest.Took(now, d.at) > soon {
				t.Errorf("the relay dialled the frozen endpoint %v after the freeze", d.at.Sub(now))
			}
		}
		share := float64(whole) / float64(all)
		t.Logf("%d of %d objects came whole (%.2f %%)", whole, all, 100*share)
		if share < .993 {
			t.Errorf("%d of %d objects came whole (%.2f %%), want 99.3 %%", whole, all, 100*share)
		}
		a.noneFails()
		a.neverDirect()
		a.cutsOnly(a.firstDrops(h), cutFrozen)
		a.deadAre(h)
		a.judged(h, policy.Frozen)
		a.log()
	})
}

func TestWaveUntilOneIsLeft(t *testing.T) {
	table(t, func(a *arena) {
		var lost []*testenv.Host
		var losses []time.Time
		began := time.Now()
		for len(lost) < len(a.endpoints)-1 {
			h := a.active()[0]
			for _, next := range a.active() {
				if !slices.Contains(lost, next) { // it may not have been noticed yet
					h = next
				}
			}
			a.block(against(blocker.Drop(), h))
			lost, losses = append(lost, h), append(losses, time.Now())
			time.Sleep(5 * time.Second)
		}
		time.Sleep(20 * time.Second)
		a.paysAtMostBut(hedge, began, time.Now(), losses)
		a.cutsOnly(a.firstDrops(lost...), cutAfter)
		a.deadAre(lost...)
	})
}

func TestWholePrefixAtOnce(t *testing.T) {
	table(t, func(a *arena) {
		now := time.Now()
		prefix := netip.MustParsePrefix("52.58.0.0/16")
		a.block(blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{prefix}}, Do: blocker.Drop()})
		var lost []*testenv.Host
		for _, h := range a.active() {
			if prefix.Contains(h.Addr()) {
				lost = append(lost, h)
			}
		}
		time.Sleep(time.Minute)
		a.paysAtMost(hedge, now, time.Now())
		a.cutsOnly(a.firstDrops(lost...), cutAfter)
		for _, h := range lost {
			a.isDead(h)
		}
		for _, h := range a.endpoints {
			if s := a.pool.Endpoint(h.Spec().Name()).State(); s == policy.Dead && !prefix.Contains(h.Addr()) {
				a.t.Errorf("%s is dead, outside of the prefix", h.Addr())
			}
		}
	})
}

// TestAllActiveDropped drops all that serves at once; the reserve is reachable.
func TestAllActiveDropped(t *testing.T) {
	t.Parallel()
	for _, s := range suites() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			inArena(t, options{suite: s, active: 8}, func(a *arena) {
				lost, now := a.active(), time.Now()
				a.block(against(blocker.Drop(), lost...))
				time.Sleep(time.Minute)
				a.paysAtMost(2500*time.Millisecond, now, time.Now())
				a.noneFails()
				a.neverDirect()
				a.cutsOnly(a.firstDrops(lost...), cutAfter)
				a.deadAre(lost...)
				a.log()
			})
		})
	}
}

// TestOwnNetworkDown takes all packets away for 20 s: nothing is marked, nothing
// is cut, and everything goes on within a second of the return.
func TestOwnNetworkDown(t *testing.T) {
	t.Parallel()
	for _, s := range suites() {
		for _, active := range sizes() {
			t.Run(fmt.Sprintf("%s/%d", s.name, active), func(t *testing.T) {
				t.Parallel()
				inArena(t, options{suite: s, active: active}, func(a *arena) {
					before := a.active()
					cut := time.Now()
					a.isp.Cut()
					time.Sleep(20 * time.Second)
					back := time.Now()
					a.isp.Restore()
					// The kernel sends again once a second at best (the least that
					// TCP_RTO_MAX_MS allows), and an echo takes a round trip more.
					soon := time.Second + worldtest.Tolerance()
					time.Sleep(soon + rtt + time.Millisecond)
					for n, s := range a.longs() {
						s.mu.Lock()
						if s.last.Before(back) {
							t.Errorf("stream %d has not gone on %v and a round trip after the return (ended: %v)", n, soon, s.err)
						}
						s.mu.Unlock()
					}
					time.Sleep(29 * time.Second)
					a.cutsOnly(nil, cutAfter)
					usual := a.usual() + worldtest.Tolerance()
					for _, r := range a.since(a.began) {
						// What began in the outage may have lost patience in it.
						if r.err != nil && (r.start.Add(usual).Before(cut) || r.start.Add(patience).After(back.Add(soon))) {
							t.Errorf("request at %v failed: %v", r.start.Sub(a.began), r.err)
						}
						if r.err == nil && r.start.Before(back) && worldtest.Took(back, r.start.Add(r.took)) > time.Second+usual {
							t.Errorf("request at %v was answered %v after the return", r.start.Sub(a.began), r.start.Add(r.took).Sub(back))
						}
						if r.start.After(back.Add(soon)) && r.counts() > usual+hedge {
							t.Errorf("request at %v, after the return, took %v", r.start.Sub(a.began), r.took)
						}
					}
					a.deadAre()
					for _, ev := range a.eventsCopy() {
						if ev.Kind == pool.Changed && ev.To == policy.Dead {
							t.Errorf("%v: %s", ev.At.Sub(a.began), ev)
						}
					}
					if n := len(a.active()); n != len(before) {
						t.Errorf("%d endpoints are active after the return, %d were before", n, len(before))
					}
					a.neverDirect()
					a.log()
				})
			})
		}
	}
}
