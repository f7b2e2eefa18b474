package scenario

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Options are how a scenario is set up in a world. The zero value is usable.
type Options struct {
	// Speed is how many times faster than life it will be played; zero means 1,
	// also for a scenario with a speed of its own.
	Speed float64
	// Seed decides the endpoints' passwords.
	Seed uint64
}

// Stage is a scenario set up in a world, ready to be played.
type Stage struct {
	// Scenario is what it was built from. It must not be changed.
	Scenario *Scenario
	// World is where.
	World *testenv.World
	// ISPs are in the scenario's order.
	ISPs []*testenv.ISP
	// Began is when, by the world's time, the story begins.
	Began time.Time
	// Length is how long it takes, by the world's time.
	Length time.Duration

	// Around, if it is set before Play, is called for each act in place of do,
	// which it must call once. Calls do not overlap.
	Around func(a Act, do func() Deed)

	speed  float64
	clock  Clock
	clouds map[string]*testenv.Cloud
	draws  *rand.Rand

	mu               sync.Mutex
	endpoints        []*testenv.Host
	stopped, retired map[*testenv.Host]bool
	up               map[*testenv.Host]time.Time    // from when on a machine answers
	orders           map[time.Time][]blocker.Change // of the strategy, to come
	cues             []cue
	wake             chan struct{}

	// What only Play's own goroutine touches.
	own    []map[netip.Prefix]blocker.RuleID // each ISP's rules that are not the registry's
	hunted map[netip.Addr]int64              // connections, at the last hunt
	halted map[*Event][]*testenv.Host        // by the events that will be over
}

// Build makes what a scenario speaks of in a world: ISPs with their rules,
// destinations, on which nothing runs yet, clouds with tenants and endpoints. It
// can be done once in a world. What has a date happens in Play; but rules count
// from here on, by their own dates.
//
// What the world's backend cannot do, or a world of packets at all, is an error
// that is [errors.ErrUnsupported].
func (s *Scenario) Build(w *testenv.World, o Options) (*Stage, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if s.Agents.Count > 0 {
		return nil, fmt.Errorf("scenario %s: agents: %w in a world of packets", s.Name, errors.ErrUnsupported)
	}
	if o.Speed <= 0 {
		o.Speed = 1
	}
	t := &Stage{
		Scenario: s, World: w, speed: o.Speed, clock: s.Timeline(),
		Began: time.Now(), Length: scaled(s.Lasts, o.Speed),
		clouds: make(map[string]*testenv.Cloud), draws: rand.New(rand.NewPCG(o.Seed, 0x7363656e65)),
		orders: make(map[time.Time][]blocker.Change), wake: make(chan struct{}, 1), hunted: make(map[netip.Addr]int64), stopped: make(map[*testenv.Host]bool),
		retired: make(map[*testenv.Host]bool), up: make(map[*testenv.Host]time.Time),
		halted: make(map[*Event][]*testenv.Host),
	}
	for _, isp := range s.ISPs {
		if err := t.isp(isp); err != nil {
			return nil, err
		}
	}
	for _, d := range s.Destinations {
		w.Destination(d.Name, testenv.DestinationConfig{Latency: d.Latency})
	}
	for _, c := range s.Clouds {
		if err := t.cloud(c); err != nil {
			return nil, err
		}
	}
	t.script()
	return t, nil
}

// scaled is a time of the story by the world's time.
func scaled(d time.Duration, speed float64) time.Duration {
	return time.Duration(float64(d) / speed)
}

func (t *Stage) isp(plan ISP) error {
	isp := t.World.ISP(plan.Name, testenv.ISPConfig{
		Latency: plan.Latency, Loss: plan.Loss, Lag: scaled(plan.Lag, t.speed),
		Apply: plan.Apply, Users: plan.Users,
	})
	t.ISPs = append(t.ISPs, isp)
	t.own = append(t.own, make(map[netip.Prefix]blocker.RuleID))
	for _, rules := range [][]Rule{t.Scenario.Rules, plan.Rules} {
		for _, r := range rules {
			if _, err := isp.Add(blocker.Rule{When: t.when(r.When), Do: r.Do}); err != nil {
				return err
			}
		}
	}
	return nil
}

// when is a condition by the world's time.
func (t *Stage) when(w When) blocker.When {
	b := blocker.When{
		Prefixes: w.Prefixes, Ports: w.Ports, Names: w.Names, ExceptNames: w.ExceptNames,
		Probability: w.Probability, Dir: w.Direction,
	}
	if len(w.ExceptPrefixes) > 0 {
		b.Prefixes, b.Set = nil, without(w.Prefixes, w.ExceptPrefixes)
	}
	if !w.From.IsZero() {
		b.From = t.Time(w.From)
	}
	if !w.Until.IsZero() {
		b.Until = t.Time(w.Until)
	}
	if w.Daily != (Hours{}) {
		first := t.Scenario.midnight().Add(w.Daily.From)
		b.Cycle = blocker.Cycle{
			Start: t.Began.Add(scaled(first.Sub(t.Scenario.Begins), t.speed)),
			Every: scaled(day, t.speed), On: scaled(w.Daily.length(), t.speed),
		}
	}
	return b
}

// without is what of some prefixes, or of everything if there are none, lies in
// none of the others.
func without(prefixes, except []netip.Prefix) *blocker.PrefixSet {
	if len(prefixes) == 0 {
		return blocker.NewPrefixSet(except...).Complement()
	}
	return blocker.NewPrefixSet(prefixes...).Complement().With(except...).Complement()
}

func (t *Stage) cloud(plan Cloud) error {
	c := t.World.Cloud(plan.Name, testenv.CloudConfig{
		Prefixes: plan.Prefixes, Latency: plan.Latency, LaunchDelay: scaled(plan.LaunchDelay, t.speed),
		// Hours pass faster, and each costs what it costs.
		PricePerHour: plan.PricePerHour * t.speed,
	})
	t.clouds[plan.Name] = c
	for _, b := range plan.Endpoints {
		b.Cloud = plan.Name
		if _, err := t.launch(b); err != nil {
			return err
		}
	}
	for _, n := range plan.Tenants {
		if _, err := c.TenantIn(n.In, n.Name, n.Weight); err != nil {
			return fmt.Errorf("tenant %s of cloud %s: %w", n.Name, plan.Name, err)
		}
	}
	return nil
}

// launch orders endpoints.
func (t *Stage) launch(b Batch) (hosts []*testenv.Host, err error) {
	delay := scaled(t.Scenario.cloud(b.Cloud).LaunchDelay, t.speed)
	for range b.Count {
		h, err := t.clouds[b.Cloud].Launch(testenv.EndpointConfig{
			User: "lab", Password: fmt.Sprintf("%016x", t.draws.Uint64()), Prefix: b.In,
		})
		if err != nil {
			return hosts, fmt.Errorf("launch in cloud %s: %w", b.Cloud, err)
		}
		hosts = append(hosts, h)
		t.mu.Lock()
		t.endpoints = append(t.endpoints, h)
		t.up[h] = time.Now().Add(delay)
		t.mu.Unlock()
	}
	return hosts, nil
}

// Endpoints are those that the service has at this moment, the oldest first,
// whether their processes run or not.
func (t *Stage) Endpoints() []*testenv.Host {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.endpoints)
}

// Runs reports whether an endpoint's process runs: its machine is up by now, and
// no event has stopped or halted it.
func (t *Stage) Runs(h *testenv.Host) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	up, there := t.up[h]
	return there && !time.Now().Before(up) && !t.stopped[h]
}

// Time is when, by the world's time, the story's clock shows a date.
func (t *Stage) Time(date time.Time) time.Time {
	return t.Began.Add(time.Duration(t.clock.Share(date) * float64(t.Length)))
}

// Date is what the story's clock shows at a time of the world's.
func (t *Stage) Date(now time.Time) time.Time {
	return t.clock.Date(float64(now.Sub(t.Began)) / float64(t.Length))
}
