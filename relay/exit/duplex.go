package exit

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/relay/internal/pump"
)

// duplex carries a stream's bytes both ways.
//
// A half that its sender closes is closed on the other side too, and the other
// half goes on. What ends by an error ends on both sides as RST: a FIN would
// tell the client that it had got everything.
type duplex struct {
	t       *stream
	running atomic.Int32
	half    atomic.Bool // one direction has come to its end
}

// pump starts the two directions, each in a fresh goroutine: the stack of the
// one that has run the protocol has grown.
func (t *stream) pump() {
	d := &duplex{t: t}
	d.running.Store(2)
	var up, down pump.Source // before either direction writes
	up.Watch(t.client)
	down.Watch(t.target)
	early := t.in.rest()
	t.server.wg.Go(func() {
		d.direction(t.target, t.client, &up, early, t.in.eof)
	})
	t.server.wg.Go(func() {
		d.direction(t.client, t.target, &down, nil, false)
	})
}

// direction copies until the end of src, an error, or the end of the stream.
func (d *duplex) direction(dst, src net.Conn, from *pump.Source, early []byte, eof bool) {
	err := d.copy(dst, src, from, early, eof)
	if err == nil {
		// From here on silence in the other direction has a limit. It reads
		// from dst.
		d.half.Store(true)
		d.extend(dst)
		err = closeWrite(dst)
	}
	if err != nil {
		d.t.cut()
	}
	if d.running.Add(-1) == 0 {
		d.t.end()
	}
}

var errNoHalfClose = errors.New("the connection cannot be closed by halves")

func closeWrite(c net.Conn) error {
	w, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return errNoHalfClose
	}
	return w.CloseWrite()
}

func (d *duplex) extend(src net.Conn) {
	_ = src.SetReadDeadline(time.Now().Add(timeout(d.t.server.HalfClosedTimeout, DefaultHalfClosedTimeout)))
}

func (d *duplex) copy(dst, src net.Conn, from *pump.Source, early []byte, eof bool) error {
	if len(early) > 0 {
		if _, err := dst.Write(early); err != nil {
			return err
		}
	}
	if eof {
		return nil
	}
	l := &liveness{d: d, src: src}
	for {
		l.moved = false
		readErr, writeErr := pump.Run(dst, src, from, l)
		switch {
		case writeErr != nil:
			return writeErr
		case errors.Is(readErr, io.EOF):
			return nil
		case l.moved && d.half.Load() && errors.Is(readErr, os.ErrDeadlineExceeded):
			d.extend(src)
		default:
			return readErr
		}
	}
}

// liveness puts the limit of a half-closed stream off whenever bytes move.
type liveness struct {
	d     *duplex
	src   net.Conn
	moved bool
}

// Begin and End implement the meter.
func (l *liveness) Begin() {}

func (l *liveness) End(int) {
	l.moved = true
	if l.d.half.Load() {
		l.d.extend(l.src)
	}
}
