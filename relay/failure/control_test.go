package failure_test

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// controlled gives the arena a control in a cloud of its own. It counts how
// often it is asked.
func controlled(o options, asked *atomic.Int64) options {
	o.control = func(a *arena) pool.Control {
		other := a.world.Cloud("elsewhere", testenv.CloudConfig{
			Prefixes: []netip.Prefix{netip.MustParsePrefix("198.252.206.0/24")}, Latency: worldtest.Far(oneWay),
		})
		h, err := other.Launch(testenv.EndpointConfig{})
		if err != nil {
			a.t.Fatal(err)
		}
		c := probe.Control{
			Address:  netip.AddrPortFrom(h.Addr(), h.Spec().Port),
			Upstream: &upstream.Dialer{Dial: a.isp.DialContext},
		}
		return pool.ControlFunc(func(ctx context.Context) error {
			asked.Add(1)
			return c.Reach(ctx)
		})
	}
	return o
}

// firstCanaries are the endpoints of the reserve that a pool would expose first
// if all in use were silent, found out in an arena of the same seed.
func firstCanaries(t *testing.T, s suite, n int) (numbers []int) {
	inArena(t, options{suite: s, active: 8}, func(a *arena) {
		a.isp.Cut()
		time.Sleep(8*time.Second + 2*worldtest.Tolerance())
		for _, ev := range a.eventsCopy() {
			if ev.Kind != pool.Canary || len(numbers) == n {
				continue
			}
			for i, h := range a.endpoints {
				if h.Spec().Name() == ev.Endpoint.Name() {
					numbers = append(numbers, i)
				}
			}
		}
		a.isp.Restore()
		time.Sleep(time.Second)
	})
	if len(numbers) != n {
		t.Fatalf("want %d canaries, got %d", n, len(numbers))
	}
	return numbers
}

// TestActivesAndCanariesDropped drops all that serves and the reserve that is
// asked first. A control tells at once that it is they; without one it takes
// until the fourth canary, within the patience of those who wait.
func TestActivesAndCanariesDropped(t *testing.T) {
	t.Parallel()
	for _, s := range suites() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			canariesDropped(t, s)
		})
	}
}

func canariesDropped(t *testing.T, s suite) {
	canaries := firstCanaries(t, s, 3)
	block := func(a *arena) []*testenv.Host {
		lost := a.active()
		for _, n := range canaries {
			h := a.endpoints[n]
			if st := a.pool.Endpoint(h.Spec().Name()).State(); st != policy.Reserve {
				t.Fatalf("endpoint %d is %s", n, st)
			}
			lost = append(lost, h)
		}
		a.block(against(blocker.Drop(), lost...))
		return lost
	}
	t.Run("control", func(t *testing.T) {
		t.Parallel()
		var asked atomic.Int64
		inArena(t, controlled(options{suite: s, active: 8}, &asked), func(a *arena) {
			if n := asked.Load(); n > 0 {
				t.Errorf("the control was asked %d times, while all was well", n)
			}
			serving, now := a.active(), time.Now()
			block(a)
			time.Sleep(time.Minute)
			a.paysAtMost(2500*time.Millisecond, now, time.Now())
			a.noneFails()
			a.neverDirect()
			a.cutsOnly(a.firstDrops(serving...), cutAfter)
			for _, h := range serving {
				a.isDead(h)
			}
			for _, ev := range a.eventsCopy() {
				if ev.Kind == pool.Canary || ev.Kind == pool.OutageBegan {
					t.Errorf("%v: %s", ev.At.Sub(a.began), ev)
				}
			}
			if n := asked.Load(); n == 0 || n > 5 {
				t.Errorf("the control was asked %d times", n)
			}
			a.log()
		})
	})
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		inArena(t, options{suite: s, active: 8}, func(a *arena) {
			block(a)
			time.Sleep(time.Minute)
			a.noneFails()
			a.neverDirect()
			a.log()
		})
	})
}
