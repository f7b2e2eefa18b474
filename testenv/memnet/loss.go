package memnet

import (
	"math"
	"time"
)

// Loss is how a line loses segments in one direction. The zero value loses
// none.
//
// By itself Share makes each loss independent of all others. With a stay in
// both states, losses come in bursts: a good and a bad state take turns, each
// with its own share (E. N. Gilbert, Capacity of a Burst-Noise Channel, 1960,
// whose good state loses nothing; E. O. Elliott, Estimates of Error Rates for
// Codes on Burst-Noise Channels, 1963). How long a state stays is drawn from a
// geometric (in segments) or exponential (in time) distribution. The first
// state is drawn too, as if the process had always been going on.
type Loss struct {
	// Share is the probability of a loss, 0 to 1: in the good state, if there
	// are two.
	Share float64
	// BadShare is the same in the bad state.
	BadShare float64
	// GoodRun and BadRun are the mean stays in segments, 1 or more. Each
	// connection has states of its own. Both or none must be given. Since a
	// sender that hears nothing sends less and less, such a burst can hold it up
	// for long.
	GoodRun, BadRun float64
	// GoodTime and BadTime are the mean stays in time. The states are the
	// line's: all its connections share them, as they share a radio link, and
	// each goes as fast as the present state allows. Both or none must be given;
	// they take the place of GoodRun and BadRun.
	GoodTime, BadTime time.Duration
}

// Bursts is a Loss that loses all in its bad state and nothing in the good one:
// the given share in the mean, 0 to below 1, in bursts of the given mean number
// of segments, 1 or more.
func Bursts(share, length float64) Loss {
	return Loss{BadShare: 1, BadRun: length, GoodRun: length * (1 - share) / share}
}

// Mean is the share of segments that are lost in the long run.
func (l Loss) Mean() float64 {
	bad := l.badPart()
	return clamp(l.Share)*(1-bad) + clamp(l.BadShare)*bad
}

// badPart is the part of the segments, or of the time, in the bad state.
func (l Loss) badPart() float64 {
	switch {
	case l.timed():
		return float64(l.BadTime) / (float64(l.BadTime) + float64(l.GoodTime))
	case l.counted():
		return max(l.BadRun, 1) / (max(l.BadRun, 1) + max(l.GoodRun, 1))
	}
	return 0
}

func (l Loss) timed() bool { return l.GoodTime > 0 && l.BadTime > 0 }

func (l Loss) counted() bool { return !l.timed() && l.GoodRun > 0 && l.BadRun > 0 }

func (l Loss) share(bad bool) float64 {
	if bad {
		return clamp(l.BadShare)
	}
	return clamp(l.Share)
}

func clamp(p float64) float64 { return min(max(p, 0), 1) }

// mostFlight is how many segments may be on their way over a path that loses a
// share p of them: M. Mathis et al., The Macroscopic Behavior of the TCP
// Congestion Avoidance Algorithm, 1997: mss/(RTT*sqrt(2p/3)) bytes a second.
func mostFlight(p float64) float64 {
	if p <= 0 {
		return math.Inf(1)
	}
	return math.Sqrt(1.5 / p)
}
