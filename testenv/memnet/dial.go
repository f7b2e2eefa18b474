package memnet

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// knocks are the times after the first SYN at which Linux (6.5 and later, with
// tcp_syn_linear_timeouts) repeats it; after the last it gives up.
var knocks = [...]instant{
	1 * time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second, 5 * time.Second,
	7 * time.Second, 11 * time.Second, 20 * time.Second, 36 * time.Second, 68 * time.Second,
	134 * time.Second,
}

// Dial connects to an address, from which an ephemeral port is chosen here. It
// takes a round trip. If nothing answers it fails with ETIMEDOUT after 134 s; a
// closed port gives ECONNREFUSED, an ICMP rejection EHOSTUNREACH. If ctx ends
// first, the error wraps ctx.Err() and, for a deadline, is a timeout.
func (h *Host) Dial(ctx context.Context, to netip.AddrPort) (*Conn, error) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if err := ctx.Err(); err != nil {
		return nil, opError("dial", netip.AddrPort{}, to, err)
	}
	if !to.IsValid() || to.Port() == 0 {
		return nil, opError("dial", netip.AddrPort{}, to, syscall.EADDRNOTAVAIL)
	}
	l := &link{net: h.net, armed: never}
	from := netip.AddrPortFrom(h.addr, h.ephemeral())
	if to.Addr().IsLoopback() {
		from = netip.AddrPortFrom(to.Addr(), from.Port())
	} else if to.Addr() != h.addr {
		p := h.net.route(h, from, to)
		l.border, l.near, l.far = p.Border, p.Near, p.Far
		l.lines, l.seed, l.divert = [2]*Line{p.NearLine, p.FarLine}, p.Seed, p.Divert
	}
	c := &l.ends[0]
	c.dialer, c.host = true, h
	c.init(l, from)
	l.ends[1].init(l, to)

	l.mu.Lock()
	defer l.mu.Unlock()
	h.attach(l)
	if h.gone.Load() {
		h.detach(l)
		return nil, opError("dial", netip.AddrPort{}, to, syscall.ENETDOWN)
	}
	now := h.net.now()
	c.state, c.since = opening, now
	c.knock(now)
	l.settle(now)
	if c.state == opening {
		if done := ctx.Done(); done != nil {
			stop := context.AfterFunc(ctx, func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				c.rd.Broadcast()
			})
			defer stop()
		}
	}
	for c.state == opening && ctx.Err() == nil || h.hung.Load() && !c.closed {
		l.rearm(h.net.now())
		c.rd.Wait()
	}
	var err error
	switch {
	case c.closed:
		err = net.ErrClosed
	case c.state == opening:
		err = ctx.Err()
	default:
		err = c.err
	}
	if err != nil && c.state != open {
		c.closed = true
		c.die(err)
		l.finish()
		return nil, opError("dial", from, to, err)
	}
	l.rearm(h.net.now())
	return c, nil
}

// knock sends a SYN and sets the timer for the next.
func (c *Conn) knock(t instant) {
	if c.retransmits == len(knocks) {
		c.timeOut()
		return
	}
	if c.retransmits > 0 {
		c.resent++
	}
	c.retry = c.since + knocks[c.retransmits]
	c.retransmits++
	c.emit(t, blocker.Syn, 0, 0)
}

// answerSyn is the kernel of the dialled address, if there is one.
func (c *Conn) answerSyn(t instant) {
	if c.state == idle {
		h := c.peer().host
		if c.l.divert != nil {
			h = c.l.divert.host
		} else if !c.addr.Addr().IsLoopback() {
			h = c.l.net.Lookup(c.addr.Addr())
		}
		if h == nil || h.gone.Load() {
			return
		}
		ln := c.l.divert
		if ln == nil {
			ln = h.listener(c.addr.Port())
		}
		if ln == nil || ln.addr.Addr().IsLoopback() && !c.addr.Addr().IsLoopback() {
			c.emit(t, blocker.Rst, 0, 0)
			return
		}
		if ln.full() {
			return
		}
		c.host, c.listener, c.state = h, ln, opening
		h.attach(c.l)
		if h.gone.Load() {
			c.closed, c.ghost = true, true
			c.die(net.ErrClosed)
			return
		}
	}
	if c.state == opening || c.state == open {
		c.emit(t, blocker.SynAck, 0, 0)
	}
}

const (
	// synAckFirst is when a SYN-ACK that has not been answered is sent again;
	// the pauses after that double (TCP_TIMEOUT_INIT).
	synAckFirst = time.Second
	// synAckRetries is net.ipv4.tcp_synack_retries: 63 s in all.
	synAckRetries = 5
)

// answerAgain is the timer of the kernel that has been dialled. A SYN that comes
// again is answered too, so it is only needed where the client knows more: the
// end of the handshake has got lost.
func (c *Conn) answerAgain(t instant) {
	if c.retransmits == synAckRetries {
		c.closed = true
		c.die(syscall.ETIMEDOUT)
		return
	}
	c.retransmits++
	c.resent++
	c.retry = t + synAckFirst<<c.retransmits
	c.emit(t, blocker.SynAck, 0, 0)
}

// established completes this end's part of the handshake, and reports whether
// it did.
func (c *Conn) established(t instant) bool {
	c.state, c.lastHeard, c.lastRecv = open, t, t
	c.calm()
	if c.dialer {
		c.rd.Broadcast()
		return true
	}
	if c.listener.offer(c) {
		return true
	}
	c.closed = true
	c.hangUp(t)
	return false
}
