package memnet

import "sync/atomic"

// Line is a stretch of a path with troubles of its own, shared by all
// connections that run over it. Nobody means them: it is not a [Border]. The
// zero Line has none and costs nothing; what its methods change holds for the
// connections under way too, from their next packet on. They are safe for
// concurrent use. A Line must not be copied after its first use.
type Line struct {
	// Seed decides the draws of what befalls all its connections together. Give
	// it before the first use.
	Seed uint64

	rough atomic.Bool // it may do more than pass packets on
	lost  atomic.Int64
	lanes [2]lane
}

// lane is one direction of a line.
type lane struct {
	loss atomic.Pointer[losses]
}

// The lanes: from the host that dialled, and towards it.
const up, down = 0, 1

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

// Lost is how many segments the line has lost by now, those included that
// carry no payload.
func (l *Line) Lost() int64 { return l.lost.Load() }

// rough reports whether the connection must reckon with losses.
func (l *link) rough() bool {
	return l.lines[0] != nil && l.lines[0].rough.Load() ||
		l.lines[1] != nil && l.lines[1].rough.Load()
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
	l := c.l
	if l.luck == nil {
		l.luck = new([2][2]luck)
		for way := range l.luck {
			for n := range l.luck[way] {
				l.luck[way][n].seed = mix(l.seed, uint64(2*way+n))
			}
		}
	}
	n := stage
	if !c.dialer {
		n = 1 - stage
	}
	return l.lines[n], &l.luck[c.way()][n]
}

// passes is how many of n segments pass a leg before one is lost: n if none is.
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
