package memnet

import (
	"net"
	"syscall"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// defaultPatience is the user timeout of a connection whose retransmission
// timeout is bounded: without one, fifteen bounded tries would give up after
// seconds.
const defaultPatience = 120 * time.Second

// SetRTOMax bounds the doubling of the retransmission timeout (on Linux
// TCP_RTO_MAX_MS, 1 s to 120 s), so that a connection resumes soon after its
// path does. Unless SetUserTimeout says otherwise, it fails after 120 s without
// an acknowledgement.
func (c *Conn) SetRTOMax(d time.Duration) error {
	if d < time.Second || d > rtoMax {
		return c.opError("set", syscall.EINVAL)
	}
	return c.operate("set", func(instant) {
		c.rtoMax = d
		if c.patience == 0 {
			c.patience = defaultPatience
		}
	})
}

// SetUserTimeout sets how long sent data or probes may go unacknowledged before
// the connection fails with ETIMEDOUT (TCP_USER_TIMEOUT). Zero means the
// kernel's own limits: 15 retransmissions, or the keep-alive count.
func (c *Conn) SetUserTimeout(d time.Duration) error {
	if d < 0 {
		return c.opError("set", syscall.EINVAL)
	}
	return c.operate("set", func(instant) { c.patience = d })
}

// SetKeepAliveConfig sets keep-alive, which is off at first. Durations are
// rounded up to whole seconds, as a socket takes them. Zero durations and counts mean Go's defaults (15 s, 15 s, 9), negative ones no change. If
// the connection has been silent for Idle already, the first probe goes out at
// once. Under a user timeout, Count does not matter, as on Linux.
func (c *Conn) SetKeepAliveConfig(k net.KeepAliveConfig) error {
	return c.operate("set", func(now instant) {
		c.keepIdle = durationOr(k.Idle, 15*time.Second, c.keepIdle)
		c.keepEvery = durationOr(k.Interval, 15*time.Second, c.keepEvery)
		switch {
		case k.Count == 0:
			c.keepCount = 9
		case k.Count > 0:
			c.keepCount = k.Count
		}
		if !k.Enable {
			c.keep = never
			return
		}
		if c.state == open {
			c.keep = max(now, c.lastHeard+c.keepIdle)
		}
	})
}

// SetKeepAlive turns keep-alive on or off.
func (c *Conn) SetKeepAlive(on bool) error {
	return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: on, Idle: -1, Interval: -1, Count: -1})
}

// SetLinger says what Close does with data that is not delivered yet: with 0 it
// is dropped and the peer gets an RST, else it is delivered in the background.
func (c *Conn) SetLinger(sec int) error {
	return c.operate("set", func(instant) { c.abortive = sec == 0 })
}

// SetNoDelay is accepted and changes nothing: nothing is ever delayed.
func (c *Conn) SetNoDelay(bool) error { return c.operate("set", func(instant) {}) }

// Flow is what the kernel knows of the connection.
func (c *Conn) Flow() (policy.Flow, error) {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if c.closed {
		return policy.Flow{}, c.opError("get", net.ErrClosed)
	}
	now := c.l.net.now()
	c.l.settle(now)
	c.l.rearm(now)
	return policy.Flow{
		Sent:        min(c.high, c.out.end),
		Acked:       min(c.una, c.out.end),
		Received:    min(c.rcvd, c.peer().out.end),
		LastRecv:    now - c.lastRecv,
		LastAck:     now - c.lastHeard,
		Unacked:     int((c.high - c.una + mss - 1) / mss),
		Retransmits: c.retransmits,
		Probes:      c.probes,
		RTT:         c.l.rtt(),
		SegmentsOut: c.segments,
		Resent:      c.resent,
		SegmentsIn:  c.came,
		Disordered:  c.disordered,
	}, nil
}

// probe is the keep-alive timer.
func (c *Conn) probe(t instant) {
	c.keep = never
	if c.state != open {
		return
	}
	silent := t - c.lastHeard
	switch {
	case c.una < c.high || c.nxt < c.tail():
		// Data is under way: that is question enough.
		c.keep = t + c.keepIdle
	case silent < c.keepIdle:
		c.keep = c.lastHeard + c.keepIdle
	case c.givenUp(silent):
		c.emit(t, blocker.Rst, c.nxt, c.nxt)
		c.timeOut()
	default:
		c.probes++
		c.keep = t + c.keepEvery
		c.emit(t, blocker.Probe, c.nxt, c.nxt)
	}
}

func (c *Conn) givenUp(silent instant) bool {
	if c.patience > 0 {
		return c.probes > 0 && silent >= c.patience
	}
	return c.probes >= c.keepCount
}

// durationOr is a duration as the socket option takes it: in whole seconds,
// rounded up.
func durationOr(d, zero, negative time.Duration) time.Duration {
	switch {
	case d == 0:
		return zero
	case d < 0:
		return negative
	}
	return (d + time.Second - 1).Truncate(time.Second)
}
