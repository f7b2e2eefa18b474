package memnet

import (
	"cmp"
	"math"
	"slices"
)

// board is what a sender on lossy lines keeps in mind, and what its receiver
// holds beyond a gap. It is a scoreboard as of a sender with SACK and RACK
// (RFC 6675, RFC 8985), which learns of a loss when later segments are
// acknowledged: about a round trip after it, and otherwise by its timer. Since
// nothing overtakes anything here, whatever was sent before something that has
// arrived has arrived itself or is lost.
//
// A connection has none until its lines first make trouble, and one ever after.
type board struct {
	holes []hole // what is known to the simulation to be lost, in the order of the stream
	ahead []hole // what has come in at the receiver, beyond a gap
	heard int64  // the last segment in the order of sending that the sender knows to have arrived

	congestion
	most   float64 // segments that may be under way
	share  float64 // for this share of losses
	credit float64 // the fractions of segments that were not sent
	limit  int64   // for this round of segments
	until  int64   // where it ends, in the order of sending
}

// hole is a stretch of the stream. Its last segment has a place in the order of
// sending.
type hole struct {
	from, to, order int64
	spilt           bool // lost to a queue that was full
}

// late is how many segments sent after a lost one must have arrived before the
// loss is believed: three duplicate acknowledgements (RFC 5681, 3.2).
const late = 3

// certain is the order of a hole that is believed already.
const certain = math.MinInt64 / 2

// miss notes that a stretch is lost.
func (b *board) miss(m hole) {
	i, _ := slices.BinarySearchFunc(b.holes, m.from, func(h hole, at int64) int { return cmp.Compare(h.from, at) })
	if i > 0 {
		if h := &b.holes[i-1]; h.to == m.from && h.order+count(m.to-m.from) == m.order && h.spilt == m.spilt {
			h.to, h.order = m.to, m.order
			return
		}
	}
	b.holes = slices.Insert(b.holes, i, m)
}

// fill forgets the holes before to.
func (b *board) fill(to int64) {
	n := 0
	for n < len(b.holes) && b.holes[n].to <= to {
		n++
	}
	b.holes = slices.Delete(b.holes, 0, n)
	if len(b.holes) > 0 {
		b.holes[0].from = max(b.holes[0].from, to)
	}
}

// hear is what a packet from the receiver tells, when so many segments have been
// sent.
func (b *board) hear(p packet, sent int64) {
	if news := int64(p.heard) - b.heard; news > 0 {
		b.progress(news, sent-b.heard)
		b.heard += news
	}
	b.fill(p.ack)
}

// believed is the first hole that the sender can know of, or -1.
func (b *board) believed() int {
	return slices.IndexFunc(b.holes, func(h hole) bool { return h.order+late <= b.heard })
}

// keep holds what has come in beyond a gap.
func (b *board) keep(from, to int64) {
	i, _ := slices.BinarySearchFunc(b.ahead, from, func(h hole, at int64) int { return cmp.Compare(h.from, at) })
	b.ahead = slices.Insert(b.ahead, i, hole{from: from, to: to})
}

// reach is how far the stream goes without a gap, if it has come in up to
// from.
func (b *board) reach(from int64) int64 {
	n := 0
	for n < len(b.ahead) && b.ahead[n].from <= from {
		from = max(from, b.ahead[n].to)
		n++
	}
	b.ahead = slices.Delete(b.ahead, 0, n)
	return from
}

// keepBoard begins a board if there is none. What the sender without one has
// taken for lost is the first thing on it.
func (c *Conn) keepBoard() {
	if c.board != nil {
		return
	}
	c.board = &board{heard: c.segments}
	from := c.nxt
	if c.lost {
		from = c.lostFrom
	}
	if from < c.high {
		c.board.holes = []hole{{from: from, to: c.high, order: certain}}
	}
	c.nxt, c.lost = c.high, false
}

// window is how many segments may be under way.
func (c *Conn) window(t instant) int64 {
	b := c.board
	pass := 1.0
	for _, line := range c.l.lines {
		if line != nil {
			pass *= 1 - line.lanes[c.way()].loss.Load().shareAt(t)
		}
	}
	if share := 1 - pass; share != b.share || b.most == 0 {
		b.share, b.most, b.credit, b.until = share, mostFlight(share), 0, 0
	}
	if c.narrow() {
		b.begin()
	} else {
		b.congestion = congestion{}
	}
	if b.window > 0 && b.window < b.most {
		return int64(b.window)
	}
	if b.most > window/mss {
		return math.MaxInt32
	}
	if c.segments >= b.until {
		b.credit += b.most
		b.limit = max(int64(b.credit), 1)
		b.credit = max(b.credit-float64(b.limit), 0)
		b.until = c.segments + b.limit
	}
	return b.limit
}

// narrow reports whether what this end sends meets a bottleneck.
func (c *Conn) narrow() bool {
	for _, line := range c.l.lines {
		if line != nil && line.lanes[c.way()].queue.Load().limits() {
			return true
		}
	}
	return false
}

// resume is transmit for a sender with a board: first what is lost, then what
// is new.
func (c *Conn) resume(t instant) {
	b := c.board
	if c.backoff > 0 && !c.persisting {
		return // the timer has gone off: one segment at a time, until one is heard of
	}
	room := c.repair(t, c.window(t)-(c.segments-b.heard))
	limit := min(c.out.end, c.edge)
	if c.fin && limit == c.out.end {
		limit++
	}
	if c.nxt < limit && room > 0 {
		if c.persisting {
			c.calm()
		}
		from := c.nxt
		c.nxt = min(limit, from+room*mss)
		c.high = max(c.high, c.nxt)
		c.cast(t, from, c.nxt)
	}
	switch {
	case c.state != open || c.retry != never:
	case len(b.holes) > 0:
		c.since = t
		c.retry = t + c.rto()
	case c.nxt < c.tail() && c.una >= c.high:
		c.persisting, c.since = true, t
		c.retry = t + c.rto()
	}
}

// repair sends again what is known to be lost, as far as there is room, and
// returns what remains of that.
func (c *Conn) repair(t instant, room int64) int64 {
	b := c.board
	for room > 0 {
		i := b.believed()
		if i < 0 {
			break
		}
		h := &b.holes[i]
		if h.spilt && b.congestion.window > 0 && h.order > b.recovered {
			b.full(h.order, c.segments)
			room = min(room, c.window(t)-(c.segments-b.heard))
			continue
		}
		from, to := h.from, min(h.to, h.from+room*mss)
		if h.from = to; h.from == h.to {
			b.holes = slices.Delete(b.holes, i, i+1)
		}
		room -= count(to - from)
		c.resent += count(to - from)
		c.cast(t, from, to)
		c.retry = t + c.rto()
	}
	return room
}

// again is what a sender with a board does when its timer goes off: all that is
// under way counts as lost, and the first segment is sent again.
func (c *Conn) again(t instant) {
	b := c.board
	for i := range b.holes {
		b.holes[i].order = certain
	}
	b.heard = c.segments
	b.timedOut(c.segments)
	to := min(c.una+mss, c.high)
	b.fill(to)
	c.resent++
	c.cast(t, c.una, to)
}
