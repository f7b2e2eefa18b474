package memnet

import (
	"math"
	"sort"
	"sync"
)

// draws are random numbers that follow from a seed and from how many have been
// drawn before (splitmix64).
type draws struct{ seed, n uint64 }

// mix makes a seed of two.
func mix(a, b uint64) uint64 {
	d := draws{seed: a, n: b}
	return d.next()
}

func (d *draws) next() uint64 {
	d.n++
	x := d.seed + d.n*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit is above 0 and at most 1.
func (d *draws) unit() float64 { return (float64(d.next()>>11) + 1) / (1 << 53) }

// failures is how many times something of probability p fails to happen before
// it does.
func (d *draws) failures(p float64) int64 {
	switch {
	case p <= 0:
		return math.MaxInt64
	case p >= 1:
		return 0
	}
	n := math.Log(d.unit()) / math.Log1p(-p)
	if n >= 1<<62 {
		return math.MaxInt64
	}
	return int64(n)
}

// losses is a Loss at work on a lane.
type losses struct {
	Loss
	mean   float64
	states turns // of a Loss in time
}

func newLosses(l Loss, seed uint64) *losses {
	if l.Mean() <= 0 {
		return nil
	}
	s := &losses{Loss: l, mean: l.Mean()}
	s.states.draws.seed = seed
	return s
}

// shareAt is the share of segments that a sender has to reckon with at t: in the
// long run, but as long as it lasts in a state that has a time. Nil has none.
func (s *losses) shareAt(t instant) float64 {
	switch {
	case s == nil:
		return 0
	case s.timed():
		return s.share(s.states.bad(s, t))
	}
	return s.mean
}

// luck is what befalls the segments of one connection on one lane.
type luck struct {
	draws
	of    *losses
	bad   bool
	stay  int64 // segments until the state changes
	clear int64 // segments until one is lost, in this state
}

// pass is how many of n segments sent at t pass before one of them is lost: n
// if none is. It has an answer for those, and the lost one; the rest must be
// asked for again. It costs per loss and change of state, not per segment.
func (k *luck) pass(of *losses, n int64, t instant) int64 {
	if of == nil {
		return n
	}
	if k.of != of {
		k.of, k.stay = of, math.MaxInt64
		if of.counted() {
			k.enter(k.unit() <= of.badPart())
		} else {
			k.enter(of.timed() && of.states.bad(of, t))
		}
	} else if of.timed() {
		if bad := of.states.bad(of, t); bad != k.bad {
			k.enter(bad)
		}
	}
	for passed := int64(0); ; {
		step := min(k.clear, k.stay, n-passed)
		passed += step
		k.clear -= step
		k.stay -= step
		switch {
		case passed == n:
			return n
		case k.stay == 0:
			k.enter(!k.bad)
		default:
			k.stay--
			k.clear = k.failures(of.share(k.bad))
			return passed
		}
	}
}

// enter begins a stay in a state.
func (k *luck) enter(bad bool) {
	k.bad = bad
	k.clear = k.failures(k.of.share(bad))
	if k.of.counted() {
		mean := k.of.GoodRun
		if bad {
			mean = k.of.BadRun
		}
		k.stay = 1 + k.failures(1/max(mean, 1))
	}
}

// turns are the times at which the states of a lane change. They follow from
// the seed alone, whoever asks, and in whatever order.
type turns struct {
	mu    sync.Mutex
	draws draws
	begun bool
	first bool      // whether the state before the first of at was bad
	at    []instant // in order, the last beyond all that was asked for
}

// mostTurns bounds what is kept of the past; connections are never that late.
const mostTurns = 1 << 12

func (s *turns) bad(of *losses, t instant) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun {
		s.begun, s.first = true, s.draws.unit() <= of.badPart()
		s.at = append(s.at, t+s.stay(of, s.first))
	}
	for last := s.at[len(s.at)-1]; last <= t; last = s.at[len(s.at)-1] {
		if len(s.at) == mostTurns {
			s.at = append(s.at[:0], s.at[mostTurns/2:]...)
		}
		s.at = append(s.at, last+s.stay(of, s.first != (len(s.at)%2 == 1)))
	}
	passed := sort.Search(len(s.at), func(i int) bool { return s.at[i] > t })
	return s.first != (passed%2 == 1)
}

func (s *turns) stay(of *losses, bad bool) instant {
	mean := of.GoodTime
	if bad {
		mean = of.BadTime
	}
	return max(instant(-math.Log(s.draws.unit())*float64(mean)), 1)
}
