package memnet

import (
	"sync"
	"time"
)

// header is what a segment has besides its payload, without the link's own: 20
// bytes of IPv4, 20 of TCP and 12 of timestamps. A full segment has 1,500.
const header = 52

// Queue is a bottleneck: a buffer that is emptied at a rate, and loses what
// finds it full (tail drop). A buffer that takes long to empty is what is
// called bufferbloat: under load, everybody's round trip is longer by up to
// Buffer/Rate. The zero Queue is none.
type Queue struct {
	// Rate is in bytes a second, headers included: 52 for each segment. Zero
	// is without limit.
	Rate float64
	// Buffer is how many bytes wait at most. Less than a full segment counts
	// as one: 1,500.
	Buffer int
}

// lump is how long the link is busy with what goes through a queue in one
// piece. It is how coarse time is on a line with a bottleneck.
const lump = 5 * time.Millisecond

// queue is a Queue at work, shared by all connections of a lane.
type queue struct {
	mu      sync.Mutex
	rate    float64
	buffer  float64
	waiting float64 // bytes
	at      instant // when that was so
}

func (q *queue) shape(s Queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rate, q.buffer = max(s.Rate, 0), float64(max(s.Buffer, mss+header))
	if q.rate == 0 {
		q.waiting = 0
	}
}

// limits reports whether the rate is limited. A nil queue's is not.
func (q *queue) limits() bool {
	if q == nil {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.rate > 0
}

// enter puts as many bytes of payload into the queue at t as go through it in
// one piece, of which there are size, in full segments but for the last, each
// with copies. It returns how many these are, after what time they have left
// it, and whether there was room for all of them: if not, what follows in the
// same train finds no room either.
func (q *queue) enter(t instant, size, copies int64) (part int64, wait instant, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.rate == 0 {
		return size, 0, true
	}
	if t > q.at {
		q.waiting = max(q.waiting-q.rate*(t-q.at).Seconds(), 0)
		q.at = t
	}
	most := max(int64(q.rate*lump.Seconds())/(mss+header), 1) * mss
	part = min(size, most)
	bytes := func() float64 { return float64(part + max(count(part), copies)*header) }
	if free := q.buffer - q.waiting; bytes() > free {
		part = min(part, int64(free)/(mss+header)*mss)
		if part <= 0 {
			return 0, 0, false
		}
		ok = part == size
	} else {
		ok = true
	}
	q.waiting += bytes()
	return part, q.at - t + instant(q.waiting/q.rate*float64(time.Second)), ok
}

// congestion is how a sender behind a bottleneck finds its rate (RFC 5681):
// it sends twice as much every round trip until a segment is lost to the queue,
// half as much when it learns of that, and then one segment more each round
// trip. What a line loses by itself is no sign of congestion here: mostFlight
// stands for that.
type congestion struct {
	window, threshold float64 // in segments; zero: no bottleneck has been met
	recovered         int64   // what was sent up to here is no new sign, in the order of sending
}

// initialWindow is RFC 6928's.
const initialWindow = 10

func (g *congestion) begin() {
	if g.window == 0 {
		g.window, g.threshold = initialWindow, window/mss
	}
}

// progress is that a number of segments have arrived, with so many under way
// before.
func (g *congestion) progress(segments, flight int64) {
	switch {
	case g.window == 0 || float64(flight) < g.window/2:
		// The sender has not tried how much would go through.
	case g.window < g.threshold:
		g.window += float64(segments)
	default:
		g.window += float64(segments) / g.window
	}
}

// full is the news that a segment, by its place in the order of sending, was
// lost to the queue, when sent have been.
func (g *congestion) full(order, sent int64) {
	if order > g.recovered {
		g.threshold = max(g.window/2, 2)
		g.window, g.recovered = g.threshold, sent
	}
}

// timedOut is that the timer has gone off.
func (g *congestion) timedOut(sent int64) {
	if g.window > 0 {
		g.threshold = max(g.window/2, 2)
		g.window, g.recovered = 1, sent
	}
}
