package policy

import (
	"fmt"
	"math"
	"time"
)

// A path is throttled if it carries less than throttledBelow of what its loss and
// delay allow, and another, at the same time, carried comparedTo times as much, as it
// is and by what its own delay allows: else it is our own line that is slow, or loses
// more than is known.
const (
	throttledBelow = .25
	comparedTo     = 4
	// leastCompared is how much of the other must have come, in bytes, for a rate.
	leastCompared = 24 << 10
	// fairShare is the share of what its own path allows that the other must have
	// carried, unless it was 16 times as fast: where all fall short of it there is a
	// queue, or a line with no more room.
	fairShare = .3
	// doubtBelow is the share of what a path allows in the long run below which a
	// client's flow is a doubt.
	doubtBelow = .5
	// muchLoss is the share of lost handshakes from which on loss explains any
	// rate: what it allows cannot be told closely enough then.
	muchLoss = .15
	// segment is the payload of a full TCP segment, in bytes, and firstWindow how
	// many of them are sent before the first acknowledgement (RFC 6928).
	segment     = 1448
	firstWindow = 10
	// shortest is the least round trip that rates are reckoned with: below it they
	// tell of the machines, and not of the path.
	shortest = 5 * time.Millisecond
	// rtoMin is the least timeout of a sender beyond its round trip (Linux).
	rtoMin = 200 * time.Millisecond
)

// Allowed is the rate, in bytes a second, that a transfer of size bytes can have
// on a path with the given round-trip time and loss (of segments, 0 to 1; zero is
// none or unknown), if nobody interferes. One round trip is for the request; then
// it starts slowly, with ten segments that double each round trip (RFC 5681, 3.1),
// until loss bounds it by what Padhye, Firoiu, Towsley and Kurose (1998) give:
// MSS/(RTT sqrt(2p/3)), as in Mathis, Semke, Mahdavi and Ott (1997), with the
// timeouts that there are at short round trips or much loss added to the
// denominator. A round-trip time below 1 ms is taken for 1 ms.
func Allowed(size int64, rtt time.Duration, loss float64) float64 {
	r := max(rtt, time.Millisecond).Seconds()
	most := steady(r, loss)
	took, left := r, float64(size)
	for flight := float64(firstWindow * segment); left > 0; flight *= 2 {
		if flight/r >= most {
			took += left / most
			break
		}
		took += r
		left -= flight
	}
	return float64(size) / took
}

// AllowedAfter is [Allowed] for what comes after the first bytes of a transfer of the
// given size, which a policer lets pass at once. It is 0 where that tells nothing, as
// all the rest comes in one flight.
func AllowedAfter(first, size int64, rtt time.Duration, loss float64) float64 {
	r := max(rtt, time.Millisecond).Seconds()
	most := steady(r, loss)
	// In slow start the rate is proportional to what has been sent, until it is most.
	const begin = firstWindow * segment
	a, b := float64(first), float64(size)
	slow := max(a, min(b, most*r/math.Ln2-begin))
	took := r*math.Log2((begin+slow)/(begin+a)) + (b-slow)/most
	if took < 1.5*r {
		return 0
	}
	return (b - a) / took
}

// steady is the rate that loss allows in the long run, infinite if there is none.
func steady(rtt, loss float64) float64 {
	p := min(loss, .9)
	if p <= 0 {
		return math.Inf(1)
	}
	rto := rtt + rtoMin.Seconds()
	return segment / (rtt*math.Sqrt(2*p/3) + rto*min(1, 3*math.Sqrt(3*p/8))*p*(1+32*p*p))
}

// concludeRate judges how fast one direction went.
func concludeRate(x Examination, p Passage, way string) (Conclusion, bool) {
	allowed, much := x.allowed(p), muchLoss
	if x.UsualRTT > 0 && x.excess(p) >= 4*comparedTo {
		much *= 2 // the other has lost as much on our line
	}
	if x.Loss > much || x.RTT <= 0 || p.Rate <= 0 || p.Rate >= throttledBelow*allowed || x.excess(p) < comparedTo {
		return Conclusion{}, false
	}
	return Conclusion{Throttled, Slowed, .95, fmt.Sprintf("carries %s/s %s where its delay and loss allow %s/s, and another carried %s/s",
		kib(int64(p.Rate)), way, kib(int64(allowed)), kib(int64(x.Usual)))}, true
}

// slow says whether a download was so slow that it should be compared with another.
// Uploads are not judged by their rate: on most lines they are slower, and what is
// compared is a download.
func (x Examination) slow() bool {
	p := x.Down
	return p.Outcome == Slowed || p.Outcome == Answered && p.Rate > 0 && x.RTT > 0 && p.Rate < throttledBelow*x.allowed(p)
}

// allowed is what the path allows for as much as was asked for; of what was ended
// early, Bytes says only how far it came.
func (x Examination) allowed(p Passage) float64 {
	size := x.Size
	if size <= 0 {
		size = DefaultSize
	}
	size = max(p.Bytes, size*3/4)
	rtt := max(x.RTT, shortest)
	whole := Allowed(size, rtt, segments(x.Loss))
	if p.After > 0 {
		return max(whole, AllowedAfter(p.After, size, rtt, segments(x.Loss)))
	}
	return whole
}

// allowed is the rate, in bytes a second, that a long transfer through i can have, as
// far as its delay and loss are known.
func (g *Group) allowed(i int, now time.Time) float64 {
	return Allowed(1<<20, max(g.records[i].rtt, shortest), segments(g.lossOf(i, now)))
}

// segments is the share of segments that are lost where one of handshakes is: a
// handshake is lost if either of two segments is.
func segments(handshakes float64) float64 { return 1 - math.Sqrt(1-min(handshakes, .99)) }

// excess is how many times as much as p another path carried at the same time, as it
// is or by what each of them allows, whichever is less; 0 if nothing was compared, or
// if the other was slow too.
func (x Examination) excess(p Passage) float64 {
	rate := max(p.Rate, 1)
	times := x.Usual / rate
	if x.UsualRTT > 0 {
		if x.UsualBytes < leastCompared {
			return 0
		}
		usual := x.Usual / Allowed(max(x.UsualBytes, 1), max(x.UsualRTT, shortest), segments(x.Loss))
		if usual < fairShare && times < 4*comparedTo {
			return 0
		}
		times = min(times, min(usual, 1)*x.allowed(p)/rate)
	}
	return times
}
