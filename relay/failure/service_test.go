package failure_test

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

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
	refuses := func(reply byte) func(a *arena) {
		return func(a *arena) {
			h := a.bad(testenv.Refuse(reply))
			time.Sleep(time.Minute)
			a.noneFails()
			a.deadAre(h)
			a.neverDirect()
			a.judged(h, policy.NoEgress)
			a.log()
		}
	}
	inSuites(t, nil, refuses(1))
	for _, reply := range []byte{2, 3, 4, 6} {
		t.Run(fmt.Sprint("reply ", reply), func(t *testing.T) {
			t.Parallel()
			inArena(t, options{suite: suites()[0], active: 8}, refuses(reply))
		})
	}
}

// TestDestinationDown asks for a destination that refuses, for one that is not
// there, and for a name that does not exist.
func TestDestinationDown(t *testing.T) {
	inSuites(t, func(a *arena) {
		a.world.Destination("closed.lab", testenv.DestinationConfig{})
	}, func(a *arena) {
		for range 20 {
			for _, d := range []string{"closed.lab:", "nowhere.lab:"} {
				go func() {
					if r := a.ask("unlucky", d+a.suite.port, ""); r.err == nil {
						a.t.Errorf("%s is down, and was granted", d)
					} else if took := worldtest.Took(r.start, time.Now()); took > 8*rtt+worldtest.Tolerance() {
						a.t.Errorf("%s: told only after %v: %v", d, took, r.err)
					}
				}()
			}
			go a.ask("unlucky", "203.0.113.9:"+a.suite.port, "")
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
	inSuites(t, func(a *arena) {
		slow := a.world.Destination("slow.lab", testenv.DestinationConfig{Latency: worldtest.Far(900 * time.Millisecond)})
		for _, port := range []uint16{80, 443, 9} {
			serve(a.t, slow, port, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096))
				time.Sleep(4 * time.Second)
				for range 20 {
					_, _ = c.Write(make([]byte, 1000))
					time.Sleep(700 * time.Millisecond)
				}
			})
		}
	}, func(a *arena) {
		for range 20 {
			go func() {
				if r := a.ask("patient", "slow.lab:"+a.suite.port, ""); r.err != nil {
					a.t.Errorf("the slow destination: %v", r.err)
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

// TestEveryEndpointDead has nothing left to use: requests fail, and not one
// packet goes to a destination.
func TestEveryEndpointDead(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]blocker.Action{"dropped": blocker.Drop(), "reset": blocker.Reset(), "rejected": blocker.Reject()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inArena(t, options{suite: suites()[0], active: 8}, func(a *arena) {
				now := time.Now()
				id := a.block(against(do, a.endpoints...))
				time.Sleep(time.Minute)
				for _, r := range a.since(now.Add(time.Second + worldtest.Tolerance())) {
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
	t.Parallel()
	inArena(t, options{suite: suites()[0], active: 8}, func(a *arena) {
		for n := range 8 {
			c, err := a.open(a.t.Context(), "leaver", "site.lab:7")
			if err != nil {
				t.Fatal(n, err)
			}
			defer c.Close()
			if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		a.isp.Cut()
		time.Sleep(time.Second)
		began := time.Now()
		if err := a.server.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > time.Second+worldtest.Tolerance() {
			t.Errorf("Close took %v", took)
		}
	})
}

// TestFlightOutlivesTwoVerdicts loses the endpoint under a request, and then the
// one to which it has moved: neither loss is the destination's doing.
func TestFlightOutlivesTwoVerdicts(t *testing.T) {
	t.Parallel()
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
		a.block(against(blocker.Drop(), a.active()...))
		time.Sleep(3500 * time.Millisecond)
		// All but the one that carries least: it must be what is left.
		busy := a.active()
		slices.SortStableFunc(busy, func(x, y *testenv.Host) int {
			return cmp.Compare(a.carries(x), a.carries(y))
		})
		a.block(against(blocker.Drop(), busy[1:]...))
		asked.Wait()
		if n := a.server.Stats().Moved; n < 24 {
			t.Errorf("flights have moved %d times: not twice", n)
		}
		a.noneFails()
		a.log()
	})
}
