package relay

import (
	"errors"
	"io"
	"net"
	"os"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/relay/internal/pump"
)

const (
	// mostRecorded is how much of a first flight is kept. A longer one stays
	// where it is.
	mostRecorded = 64 << 10
	// mostMoves bounds how often one flight moves in a storm of losses.
	mostMoves = 8
)

// flight is what a client has sent before the destination's first byte was
// handed to it. It is guarded by its stream's mutex.
type flight struct {
	record   []byte
	written  int  // of record, to the stream's present connection
	offered  int  // of record, what may have reached a destination through it
	overlong bool // there is more than record holds
	fin      bool // the client has ended its direction
	finSent  bool

	reading bool // inbound waits for the client
	kicked  bool // and has been told to stop

	landing bool // its first byte is on the way to the client

	lost   policy.Outcome // why the connection was taken away; None: it was not
	judged bool           // it was taken away by a verdict
	left   departures
}

func (f *flight) add(b []byte) { f.record = append(f.record, b...) }

// pending reports whether inbound has something to write.
func (f *flight) pending() bool {
	return f.written < len(f.record) || f.fin && !f.finSent
}

// movable reports whether the flight may be sent again elsewhere. What has been
// read and not sent yet does not matter to that; and what was sent through
// endpoints left before was found harmless when they were left.
func (f *flight) movable(r Replay) bool {
	return !f.overlong && len(f.left) < mostMoves && r.movable(f.record[:f.offered])
}

// rewind makes inbound send everything once more.
func (f *flight) rewind() { f.written, f.offered, f.finSent = 0, 0, false }

// carryUp reads the client, from the request to the end.
func (t *stream) carryUp() progress {
	conn, p := t.takeOff()
	if conn == nil {
		return p
	}
	readErr, writeErr := t.pump(conn, t.client, inbound)
	switch {
	case errors.Is(readErr, errParked):
		return parked
	case errors.Is(readErr, io.EOF):
		t.halve(conn, conn)
	case readErr != nil:
		t.end(errors.Join(errClientLeft, readErr))
	case writeErr != nil:
		// What has come from the destination shall still reach the client;
		// outbound sees the end behind it.
		t.mu.Lock()
		t.hear(writeErr)
		t.mu.Unlock()
	}
	return over
}

// takeOff records the first flight and sends it, again if it must move. It
// returns the connection to go on with, or nil and what has become of the
// direction.
func (t *stream) takeOff() (net.Conn, progress) {
	f := &t.flight
	t.mu.Lock()
	defer t.mu.Unlock()
	for !t.ended {
		switch {
		case t.conn == nil && t.flowing:
			// The end stands, and there is nothing left to write to.
			f.record = nil
			return nil, over
		case t.conn != nil && f.written < len(f.record):
			if !t.send(f.record[f.written:]) {
				continue
			}
		case t.conn != nil && f.fin && !f.finSent:
			f.finSent = true
			closeWrite(t.conn)
			t.halved(t.conn)
		case f.fin && t.flowing:
			f.record = nil
			return nil, over
		case t.resting && t.conn != nil && !f.fin && t.park(inbound, t.client):
			return nil, parked
		case t.conn != nil && (t.flowing || f.overlong):
			f.record = nil // what is overlong stays where it is, so nobody asks for it
			return t.conn, over
		case f.fin || f.overlong:
			t.turn.Wait()
		default:
			t.listen()
		}
	}
	return nil, over
}

// send writes to the connection as it is now, with the lock released. After an
// error it waits until outbound has seen it too and has decided.
func (t *stream) send(b []byte) bool {
	f, conn, number := &t.flight, t.conn, t.number
	f.offered = f.written + len(b)
	t.mu.Unlock()
	n, err := conn.Write(b)
	t.stamp(&t.lastUp)
	t.mu.Lock()
	if t.number != number {
		return false
	}
	f.written += n
	t.up.Add(int64(n))
	t.server.stats.up.Add(int64(n))
	t.hear(err)
	for err != nil && t.number == number && !t.ended && !t.flowing {
		t.turn.Wait()
	}
	if err != nil && t.number == number {
		// Nothing can be sent any more, so there is nothing to send.
		f.written, f.fin, f.finSent = len(f.record), true, true
	}
	return err == nil
}

// listen reads once from the client, with the lock released: a whole
// ClientHello, post-quantum key share included.
func (t *stream) listen() {
	f := &t.flight
	if len(f.record) >= mostRecorded {
		f.overlong = true
		return
	}
	f.reading = true
	t.mu.Unlock()
	_, err := pump.Once(t.client, &t.sources[inbound], func(b []byte) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		f.add(b)
		return nil
	})
	t.mu.Lock()
	f.reading = false
	late := errors.Is(err, os.ErrDeadlineExceeded)
	if late {
		err = nil
	}
	if f.kicked || late && !t.half {
		f.kicked = false
		_ = t.client.SetReadDeadline(t.limit())
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF) && (len(f.record) > 0 || t.number > 0):
		f.fin = true
	case errors.Is(err, io.EOF), t.number == 0:
		// Nobody closes before the answer to a request but by leaving.
		t.finish(errClientLeft)
	default:
		t.mu.Unlock()
		t.end(errors.Join(errClientLeft, err))
		t.mu.Lock()
	}
}
