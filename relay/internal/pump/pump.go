package pump

import (
	"errors"
	"io"
	"net"
	"sync"
)

// Meter is told of what a direction does. Its methods are called by the
// goroutine that runs it.
type Meter interface {
	// Begin is called before bytes are written, which may take long if their
	// reader does not read.
	Begin()
	// End is called after that, with how many were written.
	End(n int)
}

// Source is what is remembered of a connection that is read. A kernel tells of a
// reset once: if that was to somebody who wrote meanwhile, who reads is told of an
// end, as if everything had come. A Source sees through that, on Linux, from when
// it has been told to Watch. The zero value sees nothing.
type Source struct {
	// received is how many bytes the kernel must have received for those that
	// have been read, if it is known.
	received uint64
	known    bool
}

// Watch begins to watch a connection, before anybody writes to it, and before
// whatever is read from it by Run and Once.
func (s *Source) Watch(c net.Conn) {
	*s = Source{}
	if tcp, ok := c.(*net.TCPConn); ok {
		s.watch(tcp)
	}
}

// Run moves bytes from src to dst until one of them ends it. The end of src is
// io.EOF in readErr; an error that could be either's is there too. Neither
// connection is closed, in no direction. From is src's.
//
// A read deadline of src ends it with os.ErrDeadlineExceeded, and no byte is
// lost: call it again to go on. Dst must have no write deadline: it is used
// here.
func Run(dst, src net.Conn, from *Source, m Meter) (readErr, writeErr error) {
	if s, ok := src.(*net.TCPConn); ok {
		return runTCP(dst, s, from, m)
	}
	return runAny(dst, src, m)
}

// bufferSize is how much is read at once where it is copied: what one TLS
// record holds, and two hundred streams that copy at once cost 3 MiB.
const bufferSize = 16 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// runAny copies through a pooled buffer. A source that can write itself out, as
// those in memory can, holds no buffer while it waits.
func runAny(dst, src net.Conn, m Meter) (readErr, writeErr error) {
	if w, ok := src.(io.WriterTo); ok {
		out := &metered{dst: dst, m: m}
		switch _, err := w.WriteTo(out); {
		case out.err != nil:
			return nil, out.err
		case err != nil:
			return err, nil
		default:
			return io.EOF, nil
		}
	}
	b := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(b)
	out := &metered{dst: dst, m: m}
	for {
		n, err := src.Read(b[:])
		if n > 0 {
			if _, werr := out.Write(b[:n]); werr != nil {
				return nil, werr
			}
		}
		if errors.Is(err, io.EOF) {
			return io.EOF, nil
		}
		if err != nil {
			return err, nil
		}
	}
}

// metered is dst with its meter, and its own error kept apart.
type metered struct {
	dst net.Conn
	m   Meter
	err error
}

func (w *metered) Write(p []byte) (n int, err error) {
	w.m.Begin()
	n, err = w.dst.Write(p)
	w.m.End(n)
	w.err = err
	return n, err
}

// Once waits for bytes from src, at most 16 KiB, and hands them to use, which
// must not keep them. It returns how many there were and the error of use, or
// none and that of src. Where the system allows, nothing is held while it waits.
// From is src's.
func Once(src net.Conn, from *Source, use func(b []byte) error) (int, error) {
	if s, ok := src.(*net.TCPConn); ok {
		return onceTCP(s, from, use)
	}
	return onceAny(src, use)
}

func onceAny(src net.Conn, use func(b []byte) error) (int, error) {
	b := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(b)
	n, err := src.Read(b[:])
	if n > 0 {
		return n, use(b[:n]) // an error comes again with the next read
	}
	return 0, err
}
