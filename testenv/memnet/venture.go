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
	held, ok := c.slips(0, t, 0, copies)
	if !ok {
		return false
	}
	switch d := c.inspect(t, kind, from, 0); d.Act {
	case blocker.Discard:
		return false
	case blocker.Forge:
		c.forge(t)
		return false
	case blocker.Refuse:
		c.refuse(t, kind, from)
		return false
	case blocker.Forward:
	}
	if held, ok = c.slips(1, t, held, copies); !ok {
		return false
	}
	c.push(t, kind, from, to, 0, held)
	return true
}

// slips brings a packet without payload over a leg.
func (c *Conn) slips(stage int, t, held instant, copies int64) (late instant, ok bool) {
	_, wait, ok := c.enter(stage, t+held, 0, copies)
	if !ok {
		return 0, false
	}
	for range copies {
		if c.passes(stage, 1, t) == 1 {
			return held + wait, true
		}
	}
	return 0, false
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
	c.carry(0, r, from, to, 0)
}

// carry brings a piece of a train over a leg, on which it is late already.
func (c *Conn) carry(stage int, r train, from, to int64, held instant) {
	for from < to && !c.ghost {
		part, wait, ok := c.enter(stage, r.at+held, to-from, 0)
		if end := from + part; !ok {
			c.board.miss(hole{end, to, r.orderOf(to), true})
			to = end
		}
		for end := from + part; from < end; {
			pass := min(from+c.passes(stage, count(end-from), r.at)*mss, end)
			switch {
			case pass == from:
			case stage == 0:
				c.cross(r, from, pass, held+wait)
			default:
				c.push(r.at, c.kindOf(from), from, pass, r.orderOf(pass), held+wait)
			}
			if from = pass; from < end {
				from = min(from+mss, end)
				c.board.miss(hole{pass, from, r.orderOf(from), false})
			}
		}
	}
}

// cross brings a piece of a train over the border and what lies behind it.
func (c *Conn) cross(r train, from, to int64, held instant) {
	size := max(min(to, c.out.end)-from, 0)
	rest := to
	switch d := c.inspect(r.at, c.kindOf(from), from, int(size)); d.Act {
	case blocker.Discard:
		to = from + min(int64(d.Pass), size)
	case blocker.Forge:
		c.forge(r.at)
		to = from
	case blocker.Refuse:
		c.refuse(r.at, c.kindOf(from), from)
		to = from
	case blocker.Forward:
	}
	if to < rest {
		c.board.miss(hole{to, rest, r.orderOf(rest), false})
	}
	c.carry(1, r, from, to, held)
}

// kindOf is what a segment is that begins at from.
func (c *Conn) kindOf(from int64) blocker.Kind {
	if from >= c.out.end {
		return blocker.Fin
	}
	return blocker.Data
}
