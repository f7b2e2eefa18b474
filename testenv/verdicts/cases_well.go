package verdicts

import (
	"math"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// well has endpoints that are well, on paths that may not be.
func well() []Case {
	return []Case{
		{Truth: "alive", Family: Well, Right: alive},
		{Truth: "loss 5 %", Family: Well, Right: alive, Setting: Setting{Line: loses(.05, .05)}},
		{Truth: "loss 20 %, up only", Family: Well, Right: alive, Setting: Setting{Line: loses(.2, 0)}},
		{Truth: "loss 20 %, down only", Family: Well, Right: alive, Setting: Setting{Line: loses(0, .2)}},
		{Truth: "loss in bursts", Family: Well, Right: alive, Setting: Setting{Line: bursts}},
		{Truth: "bufferbloat", Family: Well, Right: alive, Setting: Setting{Narrow: &bloated}},
		{Truth: "slow but alive", Family: Well, Right: alive, Setting: Setting{Trip: [2]time.Duration{500 * time.Millisecond, 2 * time.Second}}},
	}
}

// loses is a line that loses so much more than the level.
func loses(up, down float64) func(float64) (memnet.Loss, memnet.Loss) {
	return func(level float64) (memnet.Loss, memnet.Loss) {
		return memnet.Loss{Share: min(level+up, 1)}, memnet.Loss{Share: min(level+down, 1)}
	}
}

// bloated is a home's line with far too long queues: 1 Mbit/s up and 6 down, which
// is about what heavy traffic asks for, and a second and a half in either.
var bloated = [2]memnet.Queue{{Rate: 125_000, Buffer: 192_000}, {Rate: 750_000, Buffer: 1_125_000}}

// bursts is a radio link: beside the level, nothing passes for a fifth of a
// second, every four seconds in the mean.
func bursts(level float64) (up, down memnet.Loss) {
	l := memnet.Loss{Share: level, BadShare: 1, GoodTime: 3800 * time.Millisecond, BadTime: 200 * time.Millisecond}
	return l, l
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
		{
			Truth: "captive portal", Family: Ours, Right: []Answer{{Us: true}}, Later: alive,
			Events: append(world(capture), Event{After: 30 * time.Second, World: release}),
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

// capture puts a captive portal in the way, of one kind or the other.
func capture(s *Scene) error {
	p := testenv.Portal{Reset: s.draw.Seed/2%2 == 0}
	if s.draw.Seed/4%2 == 0 {
		p.Answer = testenv.PortalDenied
	}
	for _, isp := range s.ISPs {
		isp.Capture(p)
	}
	return nil
}

func release(s *Scene) error {
	for _, isp := range s.ISPs {
		isp.Release()
	}
	return nil
}

// Long is what false condemnations are counted in: hours in which no endpoint has
// anything, with packets that get lost, and with a network of our own that is
// away now and then.
func Long() []Case {
	away := []Event{}
	for at := range int(longTime / (10 * time.Minute)) {
		begin := time.Duration(at)*10*time.Minute + 5*time.Minute
		length := []time.Duration{2 * time.Second, 10 * time.Second, 40 * time.Second, 2 * time.Minute}[at%4]
		away = append(away, Event{After: begin, World: cut}, Event{After: begin + length, World: restore})
	}
	return []Case{
		{Truth: "loss only", Family: Well, Right: alive, Rest: longTime, Back: alive, Setting: Setting{Light: true}},
		{Truth: "our network", Family: Ours, Right: alive, Rest: longTime, Back: alive, Setting: Setting{Light: true}, Events: away},
	}
}

// longTime is how long a long run takes.
const longTime = 2 * time.Hour

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
