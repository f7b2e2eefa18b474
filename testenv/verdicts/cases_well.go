package verdicts

import (
	"math"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// well has endpoints that are well, on paths that may not be.
func well() []Case {
	return []Case{
		{Truth: "alive", Family: Well, Right: alive},
		{Truth: "slow but alive", Family: Well, Right: alive, Setting: Setting{Trip: [2]time.Duration{500 * time.Millisecond, 2 * time.Second}}},
	}
}

// neither has trouble that is no endpoint's.
func neither() []Case {
	names := func(do blocker.Action) []Event {
		return []Event{{Rule: &blocker.Rule{When: blocker.When{Names: []string{otherSite}}, Do: do}}}
	}
	two := Setting{Objects: twoSites}
	return []Case{
		{Truth: "destination down", Family: Ours, Right: alive, Events: world(destinationDown), Setting: two},
		{Truth: "probe target down", Family: Ours, Right: alive, Events: world(probeTargetDown), Setting: Setting{Foreign: true}},
		{Truth: "a name frozen, everywhere", Family: Ours, Right: alive, Events: names(blocker.Freeze(16 << 10)), Setting: two},
		{Truth: "a name reset, everywhere", Family: Ours, Right: alive, Events: names(blocker.Reset()), Setting: two},
		{
			Truth: "our network down", Family: Ours, Right: []Answer{{Us: true}}, Later: alive,
			Events: append(world(cut), Event{After: 30 * time.Second, World: restore}),
		},
	}
}

// What is done to the rest of the world.

func destinationDown(s *Scene) error {
	if s.draw.Seed/2%2 == 0 {
		s.Sites[otherSite].Stop()
	} else {
		s.Sites[otherSite].Vanish()
	}
	return nil
}

func probeTargetDown(s *Scene) error { s.Sites[probeSite].Vanish(); return nil }

func cut(s *Scene) error {
	for _, isp := range s.ISPs {
		isp.Cut()
	}
	return nil
}

func restore(s *Scene) error {
	for _, isp := range s.ISPs {
		isp.Restore()
	}
	return nil
}

// allows is how many bytes a second a path's loss and delay allow (Mathis et al.
// 1997); without loss, what a window of 64 KiB does.
func (d Draw) allows() float64 {
	const segment, window = 1460, 64 << 10
	rtt := d.RTT.Seconds()
	if d.Loss == 0 {
		return window / rtt
	}
	return min(segment/(rtt*math.Sqrt(2*d.Loss/3)), window/rtt)
}

// world is one event, which strikes no endpoint.
func world(do func(*Scene) error) []Event { return []Event{{World: do}} }

// What is done to an endpoint's machine.

func stop(_ *Scene, h *testenv.Host) error   { h.Stop(); return nil }
func hang(_ *Scene, h *testenv.Host) error   { h.Hang(); return nil }
func vanish(_ *Scene, h *testenv.Host) error { h.Vanish(); return nil }
