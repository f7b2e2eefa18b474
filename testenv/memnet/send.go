package memnet

import (
	"syscall"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

const (
	// mss is the payload of a full segment, with timestamps, on Ethernet.
	mss = 1448
	// window is how far a sender may be ahead of the receiving process.
	window = 1<<20 - sendAhead
	// sendAhead is how many bytes are taken from the process that cannot be
	// sent yet. With window it fills a buffer of 1 MiB.
	sendAhead = 64 << 10
	// stuckBuffer is how many bytes a sender holds, sent or not, while nothing
	// is acknowledged: as measured on Linux with its default buffers.
	stuckBuffer = 78_000

	// rtoMin is added to the round-trip time (Linux: TCP_RTO_MIN); rtoMax
	// bounds the doubling (TCP_RTO_MAX).
	rtoMin = 200 * time.Millisecond
	rtoMax = 120 * time.Second
	// maxRetries is net.ipv4.tcp_retries2: about 15 minutes.
	maxRetries = 15
	// maxOrphanRetries is net.ipv4.tcp_orphan_retries: what is tried for a
	// process that has closed.
	maxOrphanRetries = 8
)

// room is how many bytes Write can take now.
func (c *Conn) room() int {
	if c.retry != never && !c.persisting && (c.board == nil || c.backoff > 0) {
		return int(stuckBuffer - (c.out.end - c.una))
	}
	return int(sendAhead - (c.out.end - min(c.nxt, c.out.end)))
}

// tail is the stream's length so far; its end counts as a byte.
func (c *Conn) tail() int64 {
	if c.fin {
		return c.out.end + 1
	}
	return c.out.end
}

// eager reports whether an acknowledgement would be noticed at once.
func (c *Conn) eager() bool {
	return c.blocked > 0 || c.state == opening ||
		c.state == open && (c.nxt < c.tail() || c.lost || c.board != nil && len(c.board.holes) > 0)
}

// transmit sends what may be sent.
func (c *Conn) transmit(t instant) {
	if c.state == open && (c.board != nil || c.l.rough()) {
		c.keepBoard()
		c.resume(t)
		return
	}
	if c.state != open || c.lost {
		return
	}
	limit := min(c.out.end, c.edge)
	if c.fin && limit == c.out.end {
		limit++
	}
	if c.nxt < limit {
		if c.persisting {
			c.calm()
		}
		from := c.nxt
		c.nxt = limit
		c.high = max(c.high, limit)
		if passed, ok := c.emit(t, blocker.Data, from, limit); !ok && c.state == open {
			c.lose(t, from+passed)
		}
		return
	}
	if c.nxt < c.tail() && c.una >= c.high && c.retry == never {
		c.persisting, c.since = true, t
		c.retry = t + c.rto()
	}
}

// lose notes that the network has swallowed what was sent from here on. The
// sender will find out by its timer.
func (c *Conn) lose(t instant, from int64) {
	c.lost, c.lostFrom = true, from
	if c.retry == never {
		c.since = t
		c.retry = t + c.rto()
	}
}

// unheard notes that an acknowledgement to this end has got lost at t.
func (c *Conn) unheard(t instant) {
	if c.retry == never && c.una < c.high && c.state == open {
		c.since = t
		c.retry = t + max(c.rto()-c.l.latency(), 0)
	}
	if c.retry == never && c.state == opening && !c.dialer {
		// It was the handshake's: the SYN-ACK is repeated.
		c.retry = t + max(synAckFirst-c.l.latency(), 0)
	}
}

// rto is how long to wait for an acknowledgement.
func (c *Conn) rto() instant {
	d := rtoMin + c.l.rtt()
	for range c.backoff - c.undone {
		if d >= c.rtoMax {
			break
		}
		d *= 2
	}
	return min(d, c.rtoMax)
}

// calm forgets the trouble that there was.
func (c *Conn) calm() {
	c.retry, c.persisting = never, false
	c.backoff, c.undone, c.retransmits = 0, 0, 0
}

// retransmit is the sender's timer: whatever has waited too long is sent again.
func (c *Conn) retransmit(t instant) {
	c.retry = never
	switch {
	case c.state == opening && c.dialer:
		c.knock(t)
		return
	case c.state == opening:
		c.answerAgain(t)
		return
	case c.state != open:
		return
	case c.una < c.high:
		if c.exhausted(t, c.retransmits) {
			c.timeOut()
			return
		}
		c.retransmits++
		if c.board != nil || c.l.rough() {
			c.keepBoard()
			c.again(t)
			break
		}
		to := min(c.una+mss, c.high)
		c.lost, c.lostFrom, c.nxt = true, to, to
		c.resent++
		c.emit(t, blocker.Data, c.una, to)
	case c.nxt < c.tail():
		if c.exhausted(t, c.probes) {
			c.timeOut()
			return
		}
		c.persisting = true
		c.probes++
		c.emit(t, blocker.Probe, c.nxt, c.nxt)
	default:
		c.calm()
		return
	}
	c.backoff++
	if c.state == open {
		c.retry = t + c.rto()
	}
}

// exhausted reports whether the kernel gives up after that many tries. It is the
// time that counts that they take when each pause is twice the last.
func (c *Conn) exhausted(t instant, tries int) bool {
	switch {
	case c.closed && tries >= maxOrphanRetries:
		return t-c.since >= c.patient(maxOrphanRetries)
	case c.patience > 0:
		return tries > 0 && t-c.since >= c.patience
	}
	return tries >= maxRetries && t-c.since >= c.patient(maxRetries)
}

// patient is how long a number of tries take.
func (c *Conn) patient(tries int) (all instant) {
	d := rtoMin
	for range tries + 1 {
		all += d
		d = min(2*d, c.rtoMax)
	}
	return all
}

func (c *Conn) timeOut() {
	err := c.soft
	if err == nil {
		err = syscall.ETIMEDOUT
	}
	c.fail(err)
}

// acked takes in what a packet from the peer says about this end's stream.
func (c *Conn) acked(p packet, t instant) {
	c.edge = max(c.edge, p.edge)
	if c.board != nil {
		c.board.hear(p, c.segments)
	}
	if p.ack > c.una {
		c.una = p.ack
		c.soft = nil
		switch {
		case c.una >= c.high:
			c.lost, c.nxt = false, c.una
			c.calm()
		case c.lost && c.una >= c.lostFrom:
			c.lost, c.nxt = false, c.una
			c.calm()
		case c.retry != never:
			c.backoff, c.undone, c.retransmits = 0, 0, 0
			c.since, c.retry = t, t+c.rto()
		}
		c.forgetSent()
	} else if c.persisting {
		c.since = t
	}
	c.transmit(t)
	if c.blocked > 0 && c.room() > 0 {
		c.wr.Broadcast()
	}
}

// forgetSent drops what neither end needs any more from this end's buffer.
func (c *Conn) forgetSent() {
	p := c.peer()
	to := p.read
	if p.closed || p.host == nil {
		to = c.out.end
	}
	if c.state != dead {
		to = min(to, c.una)
	}
	c.out.discard(to)
}

// emit sends a packet that stands for from..to of the stream. It reports how
// many of its bytes, and whether all of it, got past the border.
func (c *Conn) emit(t instant, kind blocker.Kind, from, to int64) (passed int64, ok bool) {
	if c.ghost {
		return 0, false
	}
	if kind != blocker.Data && c.l.rough() {
		return 0, c.venture(t, kind, from, to, 1)
	}
	size := max(min(to, c.out.end)-from, 0)
	var order int64
	if kind == blocker.Data {
		c.segments += count(to - from)
		order = c.segments
		if size == 0 {
			kind = blocker.Fin
		}
	}
	d := c.inspect(t, kind, from, int(size))
	switch d.Act {
	case blocker.Discard:
		if passed = min(int64(d.Pass), size); passed > 0 {
			c.push(t, kind, from, from+passed, order, 0)
		}
		return passed, false
	case blocker.Forge:
		c.forge(t)
		return 0, false
	case blocker.Refuse:
		c.refuse(t, kind, from)
		return 0, false
	case blocker.Forward:
	}
	c.push(t, kind, from, to, order, 0)
	return size, true
}

// shown is how far into a stream the border is shown the payload.
const shown = 32 << 10

func (c *Conn) inspect(t instant, kind blocker.Kind, from int64, size int) blocker.Decision {
	if c.l.border == nil {
		return blocker.Decision{}
	}
	p := blocker.Packet{Dir: blocker.Up, Kind: kind, Size: size, Offset: from}
	if !c.dialer {
		p.Dir = blocker.Down
	}
	if size > 0 && from < shown {
		p.Payload = c.out.peek(from, min(size, shown))
	}
	return c.l.border.Inspect(p, c.l.net.time(t))
}

// push puts a packet on the wire that is held up on its way for that long.
func (c *Conn) push(t instant, kind blocker.Kind, from, to, order int64, held instant) {
	if held += c.sway(t); held > 0 || c.l.fortune != nil {
		c.l.draw().held[c.way()] = held
	}
	at := t + c.l.latency() + held
	if last := c.wire.last(); last != nil {
		at = max(at, last.at)
	}
	c.advertised = max(c.advertised, c.read+window)
	c.wire.push(packet{
		kind: kind, order: uint32(order), heard: c.arrived, from: from, to: to,
		ack: c.rcvd, edge: c.advertised, at: at,
	})
}

// toBorder is the time from this end to the border.
func (c *Conn) toBorder() instant {
	if c.dialer {
		return c.l.stretch(0)
	}
	return c.l.stretch(1)
}

// forge is the border's RST to both ends.
func (c *Conn) forge(t instant) {
	c.foredoom(t+2*c.toBorder(), nil)
	if p := c.peer(); p.state == opening || p.state == open {
		p.foredoom(t+c.l.latency(), nil)
	}
}

// refuse is the border's ICMP error to the sender of a packet that begins at from.
// It ends a handshake; an established connection takes it for passing trouble (RFC
// 1122, 4.2.3.9), and does not wait longer before it sends that again (RFC 6069).
// A probe, which lies before the window, is not believed to have been sent, and
// after an RST nobody listens.
func (c *Conn) refuse(t instant, kind blocker.Kind, from int64) {
	switch {
	case c.state == opening:
		c.foredoom(t+2*c.toBorder(), syscall.EHOSTUNREACH)
	case kind != blocker.Probe && kind != blocker.Rst:
		c.soft = syscall.EHOSTUNREACH
		if from == c.una && c.retransmits > 0 {
			c.undone++
		}
	}
}

func (c *Conn) foredoom(at instant, err error) {
	if at < c.doom {
		c.doom, c.fate = at, err
	}
}
