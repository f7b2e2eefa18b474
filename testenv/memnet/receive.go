package memnet

import (
	"net"
	"syscall"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// take is the arrival of the next packet from the peer.
func (c *Conn) take(t instant) {
	p := c.peer().wire.pop()
	switch {
	case c.ghost:
		c.peer().unheard(t)
		return
	case p.kind == blocker.Syn:
		c.answerSyn(t)
		return
	case c.state == idle || c.state == dead:
		if p.kind != blocker.Rst {
			c.disown(t, 0)
		}
		return
	case p.kind == blocker.Rst:
		c.reset()
		return
	}
	c.lastHeard, c.probes = t, 0
	if c.state == opening && !c.established(t) {
		return
	}
	c.acked(p, t)
	switch {
	case p.to > p.from:
		c.receive(p, t)
	case p.kind == blocker.Probe, p.kind == blocker.SynAck:
		c.acknowledge(t, 1)
	}
}

// receive takes in a stretch of the peer's stream. A stretch that begins
// beyond what has come in is kept if the sender has a board to learn of it;
// else it is lost, and the sender goes back to the gap.
func (c *Conn) receive(p packet, t instant) {
	c.arrived = max(c.arrived, p.order)
	segments := count(p.to - p.from)
	c.came += segments
	board := c.peer().board
	if p.from > c.rcvd {
		c.disordered += segments
		if board != nil {
			board.keep(p.from, p.to)
		}
		c.acknowledge(t, segments) // each is answered at once: RFC 5681, 4.2
		return
	}
	fresh := p.to > c.rcvd
	payload := min(p.to, c.peer().out.end)
	if fresh && c.closed && !c.postponed && payload > c.rcvd {
		// Data for a process that is no longer there.
		c.hangUp(t)
		return
	}
	if fresh {
		if payload > c.rcvd {
			c.lastRecv = t
		}
		c.rcvd = p.to
		if board != nil {
			c.rcvd = board.reach(c.rcvd)
		}
		if c.readShut || c.closed && !c.postponed {
			c.throwAway()
		}
		c.rd.Broadcast()
	}
	c.acknowledge(t, (segments+1)/2) // every second one: RFC 1122, 4.2.3.2
}

// acknowledge sends a bare acknowledgement, which stands for as many as a
// receiver sends for a train. If it is lost the peer will wonder.
func (c *Conn) acknowledge(t instant, copies int64) {
	ok := false
	if c.l.rough() && !c.ghost {
		ok = c.venture(t, blocker.Ack, c.nxt, c.nxt, copies)
	} else {
		_, ok = c.emit(t, blocker.Ack, c.nxt, c.nxt)
	}
	if !ok {
		c.peer().unheard(t)
	}
}

// disown answers with an RST. If it is lost, the peer will ask again.
func (c *Conn) disown(t instant, at int64) {
	if _, ok := c.emit(t, blocker.Rst, at, at); !ok {
		c.peer().unheard(t)
	}
}

// throwAway drops what nobody will read.
func (c *Conn) throwAway() {
	c.read = max(c.read, min(c.rcvd, c.peer().out.end))
	c.peer().forgetSent()
}

// reset is an RST from the peer, or in its name.
func (c *Conn) reset() {
	switch {
	case c.state == opening:
		c.fail(syscall.ECONNREFUSED)
	case c.ended():
		c.fail(syscall.EPIPE)
	default:
		c.fail(syscall.ECONNRESET)
	}
}

// perish is what the border has sent: an RST, or an ICMP error.
func (c *Conn) perish(instant) {
	c.doom = never
	if c.state != opening && c.state != open {
		return
	}
	if c.fate != nil {
		c.fail(c.fate)
		return
	}
	c.reset()
}

// shutdown is the kernel's part of Close.
func (c *Conn) shutdown(t instant) {
	switch c.state {
	case open:
		if c.abortive || c.unread() > 0 {
			c.hangUp(t)
			return
		}
		c.fin = true
		c.throwAway()
		c.transmit(t)
	case opening:
		c.die(net.ErrClosed)
	case idle, dead:
	}
}

// hangUp ends the connection with an RST to the peer.
func (c *Conn) hangUp(t instant) {
	if c.state == open || c.state == opening && !c.dialer {
		c.disown(t, c.nxt)
	}
	c.die(net.ErrClosed)
}

// fail ends the connection with an error for the process.
func (c *Conn) fail(err error) {
	c.die(err)
	c.wake()
}

func (c *Conn) die(err error) {
	if c.err == nil {
		c.err = err
	}
	c.state = dead
	c.lost = false
	c.retry, c.keep, c.doom = never, never, never
	c.forgetSent()
}

// settled reports whether this end needs the link no more.
func (c *Conn) settled() bool {
	switch {
	case c.host == nil || c.ghost:
		return true
	case !c.closed || c.postponed:
		return false
	}
	return c.state == dead || c.fin && (c.una > c.out.end || c.peer().rcvd > c.out.end) && c.ended()
}
