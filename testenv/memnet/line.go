package memnet

import (
	"sync/atomic"
	"time"
)

// Line is a stretch of a path with troubles of its own, shared by all
// connections that run over it. Nobody means them: it is not a [Border]. The
// zero Line has none and costs nothing; what its methods change holds for the
// connections under way too, from their next packet on. They are safe for
// concurrent use. A Line must not be copied after its first use.
type Line struct {
	// Seed decides the draws of what befalls all its connections together. Give
	// it before the first use.
	Seed uint64

	uneven atomic.Bool // it may delay packets
	rough  atomic.Bool // it may lose them
	lost   atomic.Int64
	delay  atomic.Int64 // nanoseconds
	jitter atomic.Int64
	lanes  [2]lane
}

// lane is one direction of a line.
type lane struct {
	loss  atomic.Pointer[losses]
	queue atomic.Pointer[queue]
}

// The lanes: from the host that dialled, and towards it.
const up, down = 0, 1

// Delay makes the line longer by d, one way, than the path says: a round trip
// takes twice that more. A negative d counts as zero.
func (l *Line) Delay(d time.Duration) {
	l.delay.Store(int64(max(d, 0)))
	l.uneven.Store(true)
}

// Jitter makes each packet take a time between 0 and d longer, drawn by lot, but
// what is sent at one moment the same. None overtakes another.
func (l *Line) Jitter(d time.Duration) {
	l.jitter.Store(int64(max(d, 0)))
	l.uneven.Store(true)
}

// Lose says how segments get lost from now on, in each direction. Up is from
// the host that dials.
func (l *Line) Lose(ups, downs Loss) {
	for way, loss := range [...]Loss{up: ups, down: downs} {
		if s := newLosses(loss, mix(l.Seed, uint64(way))); s != nil {
			l.rough.Store(true)
			l.lanes[way].loss.Store(s)
		} else {
			l.lanes[way].loss.Store(nil)
		}
	}
}

// Narrow gives the line a bottleneck in each direction, which all its
// connections share. Up is from the host that dials. What waits in a queue
// stays there when its size or rate change.
func (l *Line) Narrow(ups, downs Queue) {
	for way, s := range [...]Queue{up: ups, down: downs} {
		q := l.lanes[way].queue.Load()
		if q == nil && s.Rate > 0 {
			q = new(queue)
			q.shape(s)
			l.lanes[way].queue.Store(q)
		} else if q != nil {
			q.shape(s)
		}
		if s.Rate > 0 {
			l.rough.Store(true)
		}
	}
}

// Lost is how many segments the line has lost by now, to queues too, those
// included that carry no payload.
func (l *Line) Lost() int64 { return l.lost.Load() }

// stretch is how long the near (0) or the far (1) part of the path takes, one
// way.
func (l *link) stretch(n int) instant {
	d := l.near
	if n == 1 {
		d = l.far
	}
	if line := l.lines[n]; line != nil && line.uneven.Load() {
		d += instant(line.delay.Load())
	}
	return d
}

// latency is the time from one end to the other, without what is due to jitter
// and queues.
func (l *link) latency() instant { return l.stretch(0) + l.stretch(1) }

// rtt is the round-trip time as it has been of late.
func (l *link) rtt() instant {
	d := 2 * l.latency()
	if l.fortune != nil {
		d += l.fortune.held[up] + l.fortune.held[down]
	}
	return d
}

// rough reports whether the connection must reckon with losses.
func (l *link) rough() bool {
	return l.lines[0] != nil && l.lines[0].rough.Load() ||
		l.lines[1] != nil && l.lines[1].rough.Load()
}

// fortune is what befalls a connection on its lines.
type fortune struct {
	luck [2][2]luck // by way and line
	held [2]instant // how much longer than its latency the last packet took, by way
	sway [2]struct{ at, d instant }
}

func (l *link) draw() *fortune {
	if l.fortune == nil {
		l.fortune = new(fortune)
		for way := range l.fortune.luck {
			for n := range l.fortune.luck[way] {
				l.fortune.luck[way][n].seed = mix(l.seed, uint64(2*way+n))
			}
		}
	}
	return l.fortune
}

// way is the direction in which this end sends.
func (c *Conn) way() int {
	if c.dialer {
		return up
	}
	return down
}

// leg is the line that a packet from this end runs over before it reaches the
// border (0), or after (1). It may be nil.
func (c *Conn) leg(stage int) (line *Line, k *luck) {
	n := stage
	if !c.dialer {
		n = 1 - stage
	}
	return c.l.lines[n], &c.l.draw().luck[c.way()][n]
}

// passes is how many of n segments pass a leg before one is lost by lot: n if
// none is.
func (c *Conn) passes(stage int, n int64, t instant) int64 {
	line, k := c.leg(stage)
	if line == nil {
		return n
	}
	passed := k.pass(line.lanes[c.way()].loss.Load(), n, t)
	if passed < n {
		line.lost.Add(1)
	}
	return passed
}

// enter is what becomes of size bytes that reach the queue of a leg: see
// queue.enter.
func (c *Conn) enter(stage int, t instant, size, copies int64) (part int64, wait instant, ok bool) {
	line, _ := c.leg(stage)
	if line == nil {
		return size, 0, true
	}
	q := line.lanes[c.way()].queue.Load()
	if q == nil {
		return size, 0, true
	}
	part, wait, ok = q.enter(t, size, copies)
	if !ok {
		line.lost.Add(max(count(size-part), 1))
	}
	return part, wait, ok
}

// sway is how much longer than usual a packet sent at t takes because of jitter.
// What is sent at one moment travels together.
func (c *Conn) sway(t instant) (d instant) {
	for stage := range c.l.lines {
		n := stage
		if !c.dialer {
			n = 1 - stage
		}
		if line := c.l.lines[n]; line != nil && line.uneven.Load() {
			if j := line.jitter.Load(); j > 0 {
				_, k := c.leg(stage)
				d += instant(k.unit() * float64(j))
			}
		}
	}
	if d > 0 {
		last := &c.l.fortune.sway[c.way()]
		if last.d == 0 || last.at != t {
			last.at, last.d = t, d
		}
		return last.d
	}
	return 0
}
