package exit

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// pump carries a stream's bytes both ways.
//
// A half that its sender closes is closed on the other side too, and the other
// half goes on. What ends by an error ends on both sides as RST: a FIN would
// tell the client that it had got everything.
type pump struct {
	t       *stream
	running atomic.Int32
	half    atomic.Bool // one direction has come to its end
}

// pump starts the two directions, each in a fresh goroutine: the stack of the
// one that has run the protocol has grown.
func (t *stream) pump() {
	p := &pump{t: t}
	p.running.Store(2)
	early := t.in.rest()
	t.server.wg.Go(func() {
		p.direction(t.target, t.client, early, t.in.eof)
	})
	t.server.wg.Go(func() {
		p.direction(t.client, t.target, nil, false)
	})
}

// direction copies until the end of src, an error, or the end of the stream.
func (p *pump) direction(dst, src net.Conn, early []byte, eof bool) {
	err := p.copy(dst, src, early, eof)
	if err == nil {
		// From here on silence in the other direction has a limit. It reads
		// from dst.
		p.half.Store(true)
		p.extend(dst)
		err = closeWrite(dst)
	}
	if err != nil {
		p.t.cut()
	}
	if p.running.Add(-1) == 0 {
		p.t.end()
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

func (p *pump) extend(src net.Conn) {
	_ = src.SetReadDeadline(time.Now().Add(timeout(p.t.server.HalfClosedTimeout, DefaultHalfClosedTimeout)))
}

func (p *pump) copy(dst, src net.Conn, early []byte, eof bool) error {
	if len(early) > 0 {
		if _, err := dst.Write(early); err != nil {
			return err
		}
	}
	if eof {
		return nil
	}
	move := mover(dst, src)
	for {
		n, err := move()
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return nil
		case n > 0 && p.half.Load() && errors.Is(err, os.ErrDeadlineExceeded):
		default:
			return err
		}
		if p.half.Load() {
			p.extend(src)
		}
	}
}

// buffers are for connections between which nothing can be spliced, and for
// small pieces.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

const bufferSize = 32 << 10

// generic is the mover between any two connections. One that can write itself
// out, as those in memory can, holds no buffer while it waits.
func generic(dst, src net.Conn) func() (int64, error) {
	w, ok := src.(io.WriterTo)
	if !ok {
		return func() (int64, error) { return relay(dst, src) }
	}
	return func() (int64, error) {
		n, err := w.WriteTo(dst)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
}

// relay reads once and writes what it got.
func relay(dst, src net.Conn) (int64, error) {
	b := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(b)
	n, err := src.Read(b[:])
	if n > 0 {
		if _, werr := dst.Write(b[:n]); werr != nil {
			return 0, werr
		}
	}
	return int64(n), err
}
