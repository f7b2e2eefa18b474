package upstream

import (
	"errors"
	"net"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

const (
	// giveUp is after how long without an acknowledgement the kernel may end a
	// connection by itself. It is a backstop: verdicts cut streams. It also ends
	// an upload to a peer that lives but does not read, so it is no shorter than
	// what the kernel takes by default (tcp_retries2: about 15 minutes).
	giveUp = 15 * time.Minute
	// rtoMax bounds the pause between retransmissions, so that a stream resumes
	// within a second of the network's return (measured: 0.1 s against 6.8 s
	// after an outage of 20 s). 1 s is the least that the kernel takes.
	rtoMax = time.Second
	// keepAliveCount is as high as the kernel takes, for it shall not be
	// unanswered probes that end a connection.
	keepAliveCount = 127
)

// ReadFlow reads what the transport knows of c: from TCP_INFO on Linux, or
// from c's own method Flow() (policy.Flow, error). It is false if neither can
// say, or the connection is closed.
func ReadFlow(c net.Conn) (policy.Flow, bool) {
	if f, ok := c.(interface{ Flow() (policy.Flow, error) }); ok {
		flow, err := f.Flow()
		return flow, err == nil
	}
	return readFlow(c)
}

// KeepAlive has c probe its other side after idle without a segment, and then
// each interval, both rounded up to whole seconds. Unanswered probes show in
// ReadFlow; they do not end the connection. The error is
// errors.ErrUnsupported if c cannot do it.
func KeepAlive(c net.Conn, idle, interval time.Duration) error {
	k, ok := c.(interface {
		SetKeepAliveConfig(net.KeepAliveConfig) error
	})
	if !ok {
		return errors.ErrUnsupported
	}
	return k.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: idle, Interval: interval, Count: keepAliveCount})
}

// Tune prepares c to live through outages: retransmissions at most 1 s apart
// where the kernel can do that (Linux 6.15) and c is a kernel's socket, or where
// c has a method SetRTOMax(time.Duration) error; and no end by the kernel's
// timers before 15 minutes. What is not supported is left as it is.
func Tune(c net.Conn) {
	if t, ok := c.(interface{ SetRTOMax(time.Duration) error }); ok {
		_ = t.SetRTOMax(rtoMax)
		return
	}
	tune(c)
}

// Abort closes c such that the other side sees RST, and not the end of a
// complete stream, where c's type is able to (SetLinger).
func Abort(c net.Conn) error {
	if l, ok := c.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0)
	}
	return c.Close()
}
