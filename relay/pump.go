package relay

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/relay/internal/pump"
)

// closeWrite ends one direction of c.
func closeWrite(c net.Conn) {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
		return
	}
	_ = c.Close()
}

// halve ends the direction towards dst, whose source has ended. What still may
// come the other way, from rest, has a time limit from now on.
func (t *stream) halve(dst, rest net.Conn) {
	closeWrite(dst)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.halved(rest)
}

// halved notes that one direction has ended. The caller holds mu.
func (t *stream) halved(rest net.Conn) {
	if !t.half {
		t.half, t.halfSince = true, time.Now()
	}
	if rest == t.client {
		t.wake(inbound)
	} else {
		t.wake(outbound)
	}
	if rest == t.client && t.flight.kicked {
		return // inbound sets the limit when it wakes
	}
	_ = rest.SetReadDeadline(t.limit())
}

// limit is the read deadline of the direction that is left, if only one is. The
// caller holds mu.
func (t *stream) limit() time.Time {
	if t.half {
		return time.Now().Add(halfClosed)
	}
	return time.Time{}
}

// meter counts what one direction has handed on.
type meter struct {
	stream  *stream
	bytes   *atomic.Int64
	total   *atomic.Int64
	last    *atomic.Int64
	writing *atomic.Int64 // may be nil
}

// Begin implements pump.Meter.
func (m *meter) Begin() {
	if m.writing != nil {
		m.stream.stamp(m.writing)
	}
}

// End implements pump.Meter.
func (m *meter) End(n int) {
	if m.writing != nil {
		m.writing.Store(0)
	}
	m.bytes.Add(int64(n))
	m.total.Add(int64(n))
	m.stream.stamp(m.last)
}

// pump moves bytes from src to dst until one of them ends it; the end of src is
// io.EOF in readErr, and errParked is no end. An error that may be either's is in
// readErr.
func (t *stream) pump(dst, src net.Conn, s side) (readErr, writeErr error) {
	m := &meter{stream: t, bytes: &t.down, total: &t.server.stats.down, last: &t.lastDown, writing: &t.writing}
	if s == inbound {
		m = &meter{stream: t, bytes: &t.up, total: &t.server.stats.up, last: &t.lastUp}
	}
	for {
		readErr, writeErr = pump.Run(dst, src, &t.sources[s], m)
		if !errors.Is(readErr, os.ErrDeadlineExceeded) {
			return readErr, writeErr
		}
		if err := t.respite(s, src, readErr); err != nil {
			return err, nil
		}
	}
}
