package relay_test

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// table runs play for every suite with 8 active endpoints and 8 in reserve, and
// with 16 active ones.
func table(t *testing.T, play func(a *arena)) {
	for _, s := range suites() {
		for _, active := range []int{8, 16} {
			name := s.name + "/8+8"
			if active == 16 {
				name = s.name + "/16"
			}
			t.Run(name, func(t *testing.T) {
				inArena(t, options{suite: s, active: active}, func(a *arena) {
					play(a)
					a.noneFails()
					a.neverDirect()
					a.log()
				})
			})
		}
	}
}

// against is a rule for the endpoint's address.
func against(do blocker.Action, hosts ...*testenv.Host) blocker.Rule {
	r := blocker.Rule{Do: do}
	for _, h := range hosts {
		r.When.Prefixes = append(r.When.Prefixes, netip.PrefixFrom(h.Addr(), h.Addr().BitLen()))
	}
	return r
}

// victim is an active endpoint that carries at least one long stream.
func (a *arena) victim() *testenv.Host {
	for _, h := range a.active() {
		for _, s := range a.streams {
			s.mu.Lock()
			via := s.via
			s.mu.Unlock()
			if via == h.Addr() {
				return h
			}
		}
	}
	a.t.Fatal("no active endpoint carries a long stream")
	return nil
}

// firstDrops is when the first packet of each of the hosts was dropped.
func (a *arena) firstDrops(hosts ...*testenv.Host) map[netip.Addr]time.Time {
	lost := make(map[netip.Addr]time.Time)
	for _, p := range a.world.Ledger().Paths {
		if !p.FirstDropped.IsZero() {
			lost[p.Server.Addr()] = p.FirstDropped
		}
	}
	for _, h := range hosts {
		if lost[h.Addr()].IsZero() {
			a.t.Errorf("the ledger knows of no packet dropped for %s", h.Addr())
		}
	}
	return lost
}

func (a *arena) isDead(h *testenv.Host) {
	a.t.Helper()
	if s := a.pool.Endpoint(h.Spec().Name()).State(); s != policy.Dead && s != policy.Probation {
		a.t.Errorf("%s is %s, want dead", h.Addr(), s)
	}
}

// deadAre fails unless exactly the given hosts are dead.
func (a *arena) deadAre(hosts ...*testenv.Host) {
	a.t.Helper()
	for _, h := range hosts {
		a.isDead(h)
	}
	if n := a.inState(policy.Dead) + a.inState(policy.Probation); n != len(hosts) {
		a.t.Errorf("%d endpoints are dead, want %d", n, len(hosts))
	}
}

// neverDirect fails if the relay or a probe ever dialled anything but an
// endpoint.
func (a *arena) neverDirect() {
	a.t.Helper()
	known := make(map[string]bool)
	for _, h := range a.endpoints {
		known[h.Spec().Address()] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.dials {
		if !known[d.to] {
			a.t.Errorf("%s dialled %s, which is no endpoint", d.by, d.to)
		}
	}
	if n := len(a.world.Ledger().Directs); n != 0 {
		a.t.Errorf("%d dials went to destinations directly", n)
	}
}

const hedge = 250 * time.Millisecond

func TestOneEndpointDropped(t *testing.T) {
	table(t, func(a *arena) {
		h, now := a.victim(), time.Now()
		a.isp.Add(against(blocker.Drop(), h))
		time.Sleep(time.Minute)
		a.paysAtMost(hedge, now, time.Now())
		a.cutsOnly(a.firstDrops(h))
		a.deadAre(h)
	})
}

func TestOneEndpointReset(t *testing.T) {
	table(t, func(a *arena) {
		h, now := a.victim(), time.Now()
		a.isp.Add(against(blocker.Reset(), h))
		time.Sleep(time.Minute)
		a.paysAtMost(2*rtt, now, time.Now())
		a.cutsOnly(map[netip.Addr]time.Time{h.Addr(): now})
		a.deadAre(h)
	})
}

func TestOneEndpointDown(t *testing.T) {
	table(t, func(a *arena) {
		h, now := a.victim(), time.Now()
		h.Stop()
		time.Sleep(time.Minute)
		a.paysAtMost(2*rtt, now, time.Now())
		a.cutsOnly(map[netip.Addr]time.Time{h.Addr(): now})
		a.deadAre(h)
	})
}

func TestOneHostVanishes(t *testing.T) {
	table(t, func(a *arena) {
		h, now := a.victim(), time.Now()
		h.Vanish()
		time.Sleep(time.Minute)
		a.paysAtMost(hedge, now, time.Now())
		a.cutsOnly(map[netip.Addr]time.Time{h.Addr(): now})
		a.deadAre(h)
	})
}

func TestOneProcessHangs(t *testing.T) {
	table(t, func(a *arena) {
		h, now := a.victim(), time.Now()
		h.Hang()
		time.Sleep(time.Minute)
		a.paysAtMost(hedge, now, time.Now())
		a.cutsOnly(map[netip.Addr]time.Time{h.Addr(): now})
		a.deadAre(h)
		if err := h.Start(); err != nil {
			a.t.Error(err)
		}
	})
}

// TestOneEndpointFrozen downloads objects of 64 KiB. Those that were caught in
// the freeze are lost; but no request is sent there 1.5 s after it began.
func TestOneEndpointFrozen(t *testing.T) {
	for _, active := range []int{8, 16} {
		for _, by := range []string{"sticky", "round-robin"} {
			t.Run(fmt.Sprintf("%s/%d", by, active), func(t *testing.T) { frozen(t, active, by) })
		}
	}
}

func frozen(t *testing.T, active int, by string) {
	selector, err := policy.SelectorByName(by)
	if err != nil {
		t.Fatal(err)
	}
	inArena(t, options{suite: suites()[0], active: active, path: "/64k", selector: selector}, func(a *arena) {
		h, now := a.victim(), time.Now()
		a.isp.Add(against(blocker.Freeze(16<<10), h))
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
			if r.via == h.Addr() && r.start.Sub(now) > 1500*time.Millisecond {
				t.Errorf("a request was sent to the frozen endpoint %v after the freeze", r.start.Sub(now))
			}
		}
		for _, d := range a.dialsTo(h) {
			if d.by == "relay" && d.at.Sub(now) > 1500*time.Millisecond {
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
		a.cutsOnly(a.firstDrops(h))
		a.deadAre(h)
		a.judged(h, policy.Frozen)
		a.log()
	})
}

func TestWaveUntilOneIsLeft(t *testing.T) {
	table(t, func(a *arena) {
		var lost []*testenv.Host
		for len(lost) < len(a.endpoints)-1 {
			h := a.active()[0]
			for _, next := range a.active() {
				if !slices.Contains(lost, next) { // it may not have been noticed yet
					h = next
				}
			}
			a.isp.Add(against(blocker.Drop(), h))
			lost = append(lost, h)
			time.Sleep(5 * time.Second)
		}
		time.Sleep(20 * time.Second)
		a.cutsOnly(a.firstDrops(lost...))
		a.deadAre(lost...)
	})
}

func TestWholePrefixAtOnce(t *testing.T) {
	table(t, func(a *arena) {
		now := time.Now()
		prefix := netip.MustParsePrefix("52.58.0.0/16")
		a.isp.Add(blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{prefix}}, Do: blocker.Drop()})
		var lost []*testenv.Host
		for _, h := range a.active() {
			if prefix.Contains(h.Addr()) {
				lost = append(lost, h)
			}
		}
		time.Sleep(time.Minute)
		a.paysAtMost(hedge, now, time.Now())
		a.cutsOnly(a.firstDrops(lost...))
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
	for _, s := range suites() {
		t.Run(s.name, func(t *testing.T) {
			inArena(t, options{suite: s, active: 8}, func(a *arena) {
				lost, now := a.active(), time.Now()
				a.isp.Add(against(blocker.Drop(), lost...))
				time.Sleep(time.Minute)
				a.paysAtMost(2500*time.Millisecond, now, time.Now())
				a.noneFails()
				a.neverDirect()
				a.cutsOnly(a.firstDrops(lost...))
				a.deadAre(lost...)
				a.log()
			})
		})
	}
}

// TestOwnNetworkDown takes all packets away for 20 s: nothing is marked, nothing
// is cut, and everything goes on within a second of the return.
func TestOwnNetworkDown(t *testing.T) {
	for _, s := range suites() {
		for _, active := range []int{8, 16} {
			t.Run(s.name, func(t *testing.T) {
				inArena(t, options{suite: s, active: active}, func(a *arena) {
					before := a.active()
					cut := time.Now()
					a.isp.Cut()
					time.Sleep(20 * time.Second)
					back := time.Now()
					a.isp.Restore()
					// The kernel sends again once a second at best (the least that
					// TCP_RTO_MAX_MS allows), and an echo takes a round trip more.
					time.Sleep(time.Second + rtt + time.Millisecond)
					for n, s := range a.streams {
						s.mu.Lock()
						if s.last.Before(back) {
							t.Errorf("stream %d has not gone on 1 s and a round trip after the return (ended: %v)", n, s.err)
						}
						s.mu.Unlock()
					}
					time.Sleep(29 * time.Second)
					a.cutsOnly(nil)
					for _, r := range a.since(a.began) {
						// What began in the outage may have lost patience in it.
						if r.err != nil && (r.start.Add(a.usual()).Before(cut) || r.start.Add(patience).After(back.Add(time.Second))) {
							t.Errorf("request at %v failed: %v", r.start.Sub(a.began), r.err)
						}
						if r.err == nil && r.start.Add(r.took).After(back.Add(time.Second+a.usual())) && r.start.Before(back) {
							t.Errorf("request at %v was answered %v after the return", r.start.Sub(a.began), r.start.Add(r.took).Sub(back))
						}
						if r.start.After(back.Add(time.Second)) && r.took > a.usual()+hedge {
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

// judged fails unless h was condemned once, with verdict v.
func (a *arena) judged(h *testenv.Host, v policy.Verdict) {
	a.t.Helper()
	n := 0
	for _, ev := range a.eventsCopy() {
		if ev.Kind == pool.Changed && ev.To == policy.Dead && ev.Endpoint.Name() == h.Spec().Name() {
			if n++; ev.Verdict != v {
				a.t.Errorf("verdict %s (%s), want %s", ev.Verdict, ev.Text, v)
			}
		}
	}
	if n != 1 {
		a.t.Errorf("condemned %d times, want once", n)
	}
}

func (a *arena) dialsTo(h *testenv.Host) (ds []dial) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.dials {
		if d.to == h.Spec().Address() {
			ds = append(ds, d)
		}
	}
	return ds
}

func (a *arena) eventsCopy() []pool.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]pool.Event(nil), a.events...)
}

// bad replaces the service of an active endpoint.
func (a *arena) bad(service func(net.Conn)) *testenv.Host {
	h := a.victim()
	h.Stop()
	serve(a.t, h, h.Spec().Port, service)
	if err := h.Start(); err != nil {
		a.t.Fatal(err)
	}
	return h
}

func TestEndpointAcceptsAndNeverAnswers(t *testing.T) {
	table(t, func(a *arena) {
		now := time.Now()
		h := a.bad(testenv.Tarpit)
		time.Sleep(time.Minute)
		a.paysAtMost(hedge, now, time.Now())
		a.deadAre(h)
	})
}

func TestEndpointAnswersGarbage(t *testing.T) {
	table(t, func(a *arena) {
		now := time.Now()
		h := a.bad(testenv.Garbage)
		time.Sleep(time.Minute)
		a.paysAtMost(3*rtt, now, time.Now())
		a.deadAre(h)
	})
}

func TestEndpointRefusesEveryConnect(t *testing.T) {
	for _, reply := range []byte{1, 2, 3, 4, 6} {
		s := suites()[0]
		inArena(t, options{suite: s, active: 8}, func(a *arena) {
			h := a.bad(testenv.Refuse(reply))
			time.Sleep(time.Minute)
			a.noneFails()
			a.deadAre(h)
			a.neverDirect()
			a.judged(h, policy.NoEgress)
			a.log()
		})
	}
}

// TestDestinationDown asks for a destination that refuses, for one that is not
// there, and for a name that does not exist.
func TestDestinationDown(t *testing.T) {
	s := suites()[0]
	inArena(t, options{suite: s, active: 8, adjust: func(a *arena) {
		a.world.Destination("closed.lab", testenv.DestinationConfig{})
	}}, func(a *arena) {
		for range 20 {
			for _, d := range []string{"closed.lab:80", "nowhere.lab:80"} {
				go func() {
					if r := a.ask("unlucky", d, ""); r.err == nil {
						t.Errorf("%s is down, and was granted", d)
					} else if took := time.Since(r.start); took > 8*rtt {
						t.Errorf("%s: told only after %v: %v", d, took, r.err)
					}
				}()
			}
			go a.ask("unlucky", "203.0.113.9:80", "")
			time.Sleep(time.Second)
		}
		time.Sleep(30 * time.Second)
		a.noneFails()
		a.neverDirect()
		a.marksNothing()
		a.log()
	})
}

func TestDestinationSlow(t *testing.T) {
	s := suites()[0]
	inArena(t, options{suite: s, active: 8, adjust: func(a *arena) {
		slow := a.world.Destination("slow.lab", testenv.DestinationConfig{Latency: 900 * time.Millisecond})
		serve(a.t, slow, 80, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			time.Sleep(4 * time.Second)
			for range 20 {
				_, _ = c.Write(make([]byte, 1000))
				time.Sleep(700 * time.Millisecond)
			}
		})
	}}, func(a *arena) {
		for range 20 {
			go func() {
				if r := a.ask("patient", "slow.lab:80", ""); r.err != nil {
					t.Errorf("the slow destination: %v", r.err)
				}
			}()
			time.Sleep(time.Second)
		}
		time.Sleep(30 * time.Second)
		a.noneFails()
		a.neverDirect()
		a.marksNothing()
		a.log()
	})
}

// marksNothing fails if any endpoint was ever condemned, or any stream cut.
func (a *arena) marksNothing() {
	a.t.Helper()
	for _, ev := range a.eventsCopy() {
		if ev.Kind == pool.Changed && ev.To == policy.Dead {
			a.t.Errorf("%v: %s", ev.At.Sub(a.began), ev)
		}
	}
	a.cutsOnly(nil)
}

// TestEveryEndpointDead has nothing left to use: requests fail, and not one
// packet goes to a destination.
func TestEveryEndpointDead(t *testing.T) {
	for name, do := range map[string]blocker.Action{"dropped": blocker.Drop(), "reset": blocker.Reset(), "rejected": blocker.Reject()} {
		t.Run(name, func(t *testing.T) {
			inArena(t, options{suite: suites()[0], active: 8}, func(a *arena) {
				now := time.Now()
				id := a.isp.Add(against(do, a.endpoints...))
				time.Sleep(time.Minute)
				for _, r := range a.since(now.Add(time.Second)) {
					if r.err == nil {
						t.Errorf("a request succeeded with every endpoint dead")
						break
					}
				}
				a.isp.Remove(id)
				back := time.Now()
				time.Sleep(20 * time.Second)
				for _, r := range a.since(back) {
					if r.err != nil {
						t.Errorf("request %v after the return failed: %v", r.start.Sub(back), r.err)
					}
				}
				a.neverDirect()
				a.log()
			})
		})
	}
}

// TestCloseWhileBlocked closes a relay whose clients have left while the path of
// their streams is blocked: nothing may wait for the endpoint's last word.
func TestCloseWhileBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &arena{t: t, suite: suites()[0], began: time.Now()}
		stop := a.build(options{suite: suites()[0], active: 8})
		time.Sleep(warm)
		for n := range 8 {
			c, err := a.open(t.Context(), "leaver", "site.lab:7")
			if err != nil {
				t.Fatal(n, err)
			}
			defer c.Close()
			if err := c.(*memnet.Conn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		a.isp.Cut()
		time.Sleep(time.Second)
		began := time.Now()
		if err := a.server.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("Close took %v", took)
		}
		stop()
	})
}

// carries is how many streams are open through the endpoint.
func (a *arena) carries(h *testenv.Host) int64 {
	return a.pool.Endpoint(h.Spec().Name()).Streams().Load()
}

// TestFlightOutlivesTwoVerdicts loses the endpoint under a request, and then the
// one to which it has moved: neither loss is the destination's doing.
func TestFlightOutlivesTwoVerdicts(t *testing.T) {
	inArena(t, options{suite: suites()[0], active: 8, adjust: func(a *arena) {
		slow := a.world.Destination("slow.lab", testenv.DestinationConfig{})
		serve(a.t, slow, 80, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			time.Sleep(3 * time.Second)
			_, _ = c.Write([]byte("via nobody\n"))
		})
	}}, func(a *arena) {
		var asked sync.WaitGroup
		for n := range 16 {
			asked.Go(func() {
				if r := a.ask(fmt.Sprintf("patient-%d", n), "slow.lab:80", ""); r.err != nil {
					t.Errorf("request %d: %v", n, r.err)
				}
			})
		}
		time.Sleep(500 * time.Millisecond)
		a.isp.Add(against(blocker.Drop(), a.active()...))
		time.Sleep(3500 * time.Millisecond)
		// All but the one that carries least: it must be what is left.
		busy := a.active()
		slices.SortStableFunc(busy, func(x, y *testenv.Host) int {
			return cmp.Compare(a.carries(x), a.carries(y))
		})
		a.isp.Add(against(blocker.Drop(), busy[1:]...))
		asked.Wait()
		if n := a.server.Stats().Moved; n < 24 {
			t.Errorf("flights have moved %d times: not twice", n)
		}
		a.noneFails()
		a.log()
	})
}
