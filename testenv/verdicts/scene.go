package verdicts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// The usual world.
const (
	usualEndpoints = 12
	usualActive    = 8
	// warmUp is how long everything runs before anything happens.
	warmUp = 20 * time.Second
	// access is the one-way latency from the relay to its ISP's border.
	access = 2 * time.Millisecond
	// leastTrip and mostTrip bound the round trips that are drawn.
	leastTrip = 20 * time.Millisecond
	mostTrip  = 300 * time.Millisecond
)

// Scene is one world with its relays, while a case is played in it.
type Scene struct {
	World *testenv.World
	// Sites are the destinations, by name.
	Sites map[string]*testenv.Host
	// ISPs are where the relays are.
	ISPs []*testenv.ISP

	c         *Case
	draw      Draw
	rng       *rand.Rand
	began     time.Time
	endpoints []*testenv.Host
	clouds    map[netip.Addr]int
	trips     []time.Duration // to each cloud
	vantages  []*vantage
	rules     map[*testenv.ISP][]blocker.RuleID

	mu sync.Mutex
	// requested is when the first request reached an endpoint where nothing but
	// requests goes wrong; zero if none has.
	requested map[netip.Addr]time.Time

	ctx context.Context
	end context.CancelFunc
	wg  sync.WaitGroup
}

// newScene makes the world of a case; nothing runs in it yet.
func newScene(c *Case, loss float64, seed uint64) (*Scene, error) {
	s := &Scene{
		World: testenv.New(testenv.Config{Seed: seed}), Sites: make(map[string]*testenv.Host),
		c: c, rng: rand.New(rand.NewPCG(seed, 0x76657264696374)), began: time.Now(),
		draw: Draw{Seed: seed, Loss: loss, Heavy: seed%2 == 1 && !c.Setting.Light}, clouds: make(map[netip.Addr]int),
		rules: make(map[*testenv.ISP][]blocker.RuleID), requested: make(map[netip.Addr]time.Time),
	}
	s.ctx, s.end = context.WithCancel(context.Background())
	for n := range max(c.Setting.Vantages, 1) {
		isp := s.World.ISP(fmt.Sprintf("isp-%d", n), testenv.ISPConfig{Latency: access, Loss: loss})
		if c.Setting.Line != nil {
			isp.Line().Lose(c.Setting.Line(loss))
		}
		if q := c.Setting.Narrow; q != nil {
			isp.Line().Narrow(q[0], q[1])
		}
		s.ISPs = append(s.ISPs, isp)
	}
	err := errors.Join(s.launch(), s.settle())
	for _, isp := range s.ISPs {
		s.vantages = append(s.vantages, &vantage{scene: s, isp: isp, seed: s.rng.Uint64()})
	}
	return s, err
}

// regions is how many clouds there are, each with two prefixes.
const regions = 4

// launch starts the endpoints.
func (s *Scene) launch() error {
	set := &s.c.Setting
	var clouds []*testenv.Cloud
	var prefixes [][]netip.Prefix
	for n := range regions {
		trip := leastTrip + time.Duration(s.rng.Int64N(int64(mostTrip-leastTrip)))
		if n == 0 && set.Trip[1] > 0 {
			trip = set.Trip[0] + time.Duration(s.rng.Int64N(int64(set.Trip[1]-set.Trip[0])))
		}
		latency := trip/2 - access
		p := []netip.Prefix{block(n, 0, set.V6), block(n, 1, set.V6)}
		prefixes = append(prefixes, p)
		clouds = append(clouds, s.World.Cloud(fmt.Sprintf("cloud-%d", n), testenv.CloudConfig{Prefixes: p, Latency: latency}))
		s.trips = append(s.trips, trip)
	}
	for n := range cmp.Or(set.Endpoints, usualEndpoints) {
		at, prefix := n%regions, n/regions%2
		if n < set.Crowd {
			at, prefix = 0, 0
		} else if set.Crowd > 0 {
			at = 1 + n%(regions-1)
		}
		h, err := clouds[at].Launch(testenv.EndpointConfig{
			User: "relay", Password: "of-the-table", Prefix: prefixes[at][prefix], Owner: "us",
		})
		if err != nil {
			return err
		}
		s.endpoints = append(s.endpoints, h)
		s.clouds[h.Addr()] = at
		if set.Foreign {
			if err := s.estrange(h); err != nil {
				return err
			}
		}
	}
	return nil
}

// block is prefix number i of cloud n.
func block(n, i int, v6 bool) netip.Prefix {
	if v6 {
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a, 0x05, 0xd0, byte(0x10 + n), byte(i)}), 48)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{52, byte(16*n + 4*i), 0, 0}), 16)
}

// estrange makes an endpoint one that is not our own program.
func (s *Scene) estrange(h *testenv.Host) error {
	h.Stop()
	return errors.Join(h.Serve(h.Spec().Port, testenv.Forward(h)), h.Start())
}

// close ends everything, and says what would not end.
func (s *Scene) close() error {
	s.end()
	for _, v := range s.vantages {
		v.stop()
	}
	s.wg.Wait()
	return s.World.Close()
}

// expect has the first request, and no dial, count as affected.
func (s *Scene) expect(h *testenv.Host) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requested[h.Addr()] = time.Time{}
}

// notice tells that a request has reached an endpoint: it was made half a round
// trip before.
func (s *Scene) notice(h *testenv.Host) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requested[h.Addr()].IsZero() {
		s.requested[h.Addr()] = time.Now().Add(-s.trips[s.clouds[h.Addr()]] / 2)
	}
}

// request is when the first affected request was made, if that is what counts.
func (s *Scene) request(h *testenv.Host) (at time.Time, counts bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, counts = s.requested[h.Addr()]
	return at, counts
}

// specs is what every relay is told of.
func (s *Scene) specs() (specs []policy.Spec) {
	for _, h := range s.endpoints {
		specs = append(specs, h.Spec())
	}
	return specs
}

// victims draws whom the events strike, from those in use at the first vantage;
// or, if they strike nobody, from those that ever were, for to have condemned one
// of them already is wrong as well. The first is the one that is asked about.
func (s *Scene) victims() (hosts []*testenv.Host) {
	var pick []*testenv.Host
	for _, h := range s.endpoints {
		if state := s.vantages[0].state(h); state == policy.Reserve || state != policy.Active && s.c.hitsEndpoints() {
			continue
		}
		if (s.c.Setting.Crowd > 0 || s.c.Setting.Trip[1] > 0) && s.clouds[h.Addr()] != 0 {
			continue
		}
		pick = append(pick, h)
	}
	if len(pick) == 0 {
		return nil
	}
	one := pick[s.rng.IntN(len(pick))]
	s.draw.RTT = s.trips[s.clouds[one.Addr()]]
	whom := Nobody
	for _, e := range s.c.Events {
		whom = max(whom, e.Whom)
	}
	hosts = append(hosts, one)
	for _, h := range s.endpoints {
		switch {
		case h == one, whom == Pair && len(hosts) == 2:
		case (whom == Neighbours || whom == Pair) && policy.Neighbourhood(h.Addr()) == policy.Neighbourhood(one.Addr()),
			whom == Provider && s.clouds[h.Addr()] == s.clouds[one.Addr()],
			whom == Everyone:
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// strike makes an event happen.
func (s *Scene) strike(e *Event, victims []*testenv.Host) error {
	var errs []error
	if e.Lift {
		for isp, ids := range s.rules {
			for _, id := range ids {
				isp.Remove(id)
			}
		}
		clear(s.rules)
	}
	if e.Whom == One {
		victims = victims[:min(1, len(victims))]
	}
	if e.Rule != nil {
		r := *e.Rule
		for _, h := range victims {
			if e.Whom != Nobody {
				r.When.Prefixes = append(r.When.Prefixes, netip.PrefixFrom(h.Addr(), h.Addr().BitLen()))
			}
		}
		for n, isp := range s.ISPs {
			if e.Vantages == 0 || n < e.Vantages {
				id, err := isp.Add(r)
				errs = append(errs, err)
				s.rules[isp] = append(s.rules[isp], id)
			}
		}
	}
	if e.Host != nil && e.Whom != Nobody {
		for _, h := range victims {
			errs = append(errs, e.Host(s, h))
		}
	}
	if e.World != nil {
		errs = append(errs, e.World(s))
	}
	return errors.Join(errs...)
}
