package memnet

import (
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// count is how many segments carry n bytes.
func count(n int64) int64 { return (n + mss - 1) / mss }

// venture sends a packet without payload over lines that may lose it, and
// reports whether it got through. It stands for a number of copies, the news of
// each of which is in the last as well: an acknowledgement of a long train is
// lost only if all are that a receiver sends for it.
func (c *Conn) venture(t instant, kind blocker.Kind, from, to, copies int64) bool {
	if !c.anyPasses(0, copies, t) {
		return false
	}
	switch d := c.inspect(t, kind, from, 0); d.Act {
	case blocker.Discard:
		return false
	case blocker.Forge:
		c.forge(t)
		return false
	case blocker.Refuse:
		c.refuse(t)
		return false
	case blocker.Forward:
	}
	if !c.anyPasses(1, copies, t) {
		return false
	}
	c.push(t, kind, from, to, 0)
	return true
}

func (c *Conn) anyPasses(stage int, copies int64, t instant) bool {
	for range copies {
		if c.passes(stage, 1, t) == 1 {
			return true
		}
	}
	return false
}

// train is segments that are sent at one moment.
type train struct {
	at          instant
	from, order int64 // where it begins, and how many segments were sent before
}

// orderOf is the place in the order of sending of the segment that ends at to.
func (r train) orderOf(to int64) int64 { return r.order + count(to-r.from) }

// cast sends from..to of the stream over lines that may lose segments of it.
// What gets lost, to lines or to the border, is noted on the board.
func (c *Conn) cast(t instant, from, to int64) {
	r := train{at: t, from: from, order: c.segments}
	c.segments += count(to - from)
	for from < to && !c.ghost {
		end := min(from+c.passes(0, count(to-from), t)*mss, to)
		if end > from {
			c.cross(r, from, end)
		}
		from = c.miss(r, end, to)
	}
}

// cross brings a piece of a train over the border and what lies behind it.
func (c *Conn) cross(r train, from, to int64) {
	size := max(min(to, c.out.end)-from, 0)
	kind := blocker.Data
	if size == 0 {
		kind = blocker.Fin
	}
	rest := to
	switch d := c.inspect(r.at, kind, from, int(size)); d.Act {
	case blocker.Discard:
		to = from + min(int64(d.Pass), size)
	case blocker.Forge:
		c.forge(r.at)
		to = from
	case blocker.Refuse:
		c.refuse(r.at)
		to = from
	case blocker.Forward:
	}
	if to < rest && c.board != nil {
		c.board.miss(to, rest, r.orderOf(rest))
	}
	for from < to {
		end := min(from+c.passes(1, count(to-from), r.at)*mss, to)
		if end > from {
			c.push(r.at, kind, from, end, r.orderOf(end))
		}
		from = c.miss(r, end, to)
	}
}

// miss notes that the segment that begins at from is lost, if from is not the
// end of the train already. It returns where the next one begins.
func (c *Conn) miss(r train, from, to int64) int64 {
	if from == to {
		return to
	}
	to = min(from+mss, to)
	if c.board != nil {
		c.board.miss(from, to, r.orderOf(to))
	}
	return to
}
