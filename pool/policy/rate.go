package policy

import (
	"fmt"
	"math"
	"time"
)

// A path is throttled if it carries less than throttledBelow of what its loss and
// delay allow, and another, at the same time, carried comparedTo times as much:
// else it is our own line that is slow.
const (
	throttledBelow = .25
	comparedTo     = 4
	// segment is the payload of a full TCP segment, in bytes, and firstWindow how
	// many of them are sent before the first acknowledgement (RFC 6928).
	segment     = 1448
	firstWindow = 10
)

// Allowed is the rate, in bytes a second, that a transfer of size bytes can have
// on a path with the given round-trip time and loss (of segments, 0 to 1): one
// round trip for the request, then slow start from 10 segments, doubled with each
// round trip (RFC 5681, 3.1), and never more than MSS/(RTT*sqrt(2p/3)) (Mathis,
// Semke, Mahdavi and Ott 1997). It is +Inf for a round-trip time of zero.
func Allowed(size int64, rtt time.Duration, loss float64) float64 {
	if rtt <= 0 || size <= 0 {
		return math.Inf(1)
	}
	rounds := 1 + math.Max(1, math.Ceil(math.Log2(float64(size)/(firstWindow*segment)+1)))
	rate := float64(size) / (rounds * rtt.Seconds())
	if loss > 0 {
		rate = min(rate, segment/(rtt.Seconds()*math.Sqrt(2*loss/3)))
	}
	return rate
}

// concludeRate judges how fast one direction went.
func concludeRate(x Examination, p Passage, way string) (Conclusion, bool) {
	allowed := Allowed(max(p.Bytes, DefaultSize), x.RTT, x.Loss)
	if math.IsInf(allowed, 1) || p.Rate <= 0 || p.Rate >= throttledBelow*allowed || x.Usual < comparedTo*p.Rate {
		return Conclusion{}, false
	}
	return Conclusion{Throttled, Slowed, .95, fmt.Sprintf("carries %s/s %s where its delay and loss allow %s/s, and another carried %s/s",
		kib(int64(p.Rate)), way, kib(int64(allowed)), kib(int64(x.Usual)))}, true
}

// slow says whether a transfer was so slow that it should be compared with
// another.
func (x Examination) slow() bool {
	for _, p := range []Passage{x.Down, x.Up} {
		if p.Outcome == Slowed {
			return true
		}
		if p.Outcome == Answered && p.Rate > 0 && p.Rate < throttledBelow*Allowed(max(p.Bytes, DefaultSize), x.RTT, x.Loss) {
			return true
		}
	}
	return false
}
