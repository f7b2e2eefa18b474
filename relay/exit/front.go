package exit

import (
	"context"
	"io"
	"net"
	"time"
)

// asGiven leaves names to the dialer, which tries both address families and
// has the guard see the address that is really dialled.
type asGiven struct{}

func (asGiven) Resolve(ctx context.Context, _ string) (context.Context, net.IP, error) {
	return ctx, nil, nil
}

// intake is what has been read from the client and not been used.
type intake struct {
	buf  [1024]byte
	r, w int
	eof  bool // nothing comes after it
}

func (i *intake) rest() []byte { return i.buf[i.r:i.w] }

// front is the client's connection as go-socks5 sees it. Its methods to copy
// and to close do nothing: when go-socks5 comes to copying, it is finished at
// once, and the stream carries on by itself.
type front struct {
	net.Conn
	t          *stream
	negotiated bool
}

// Read gives one byte at a time, so that go-socks5's buffer never holds more
// than it has used, and early data stays here. The kernel is asked for more
// than a byte, of course.
func (f *front) Read(b []byte) (int, error) {
	in := &f.t.in
	if len(b) == 0 {
		return 0, nil
	}
	for in.r == in.w {
		// go-socks5 takes no answer and no error for a byte.
		n, err := f.Conn.Read(in.buf[:])
		if n == 0 && err != nil {
			return 0, err
		}
		in.r, in.w = 0, n
	}
	b[0] = in.buf[in.r]
	in.r++
	return 1, nil
}

// Write sees the replies go by. The end of negotiation gives the client its
// time for the request; a failure gets the code that the dial has chosen.
func (f *front) Write(b []byte) (int, error) {
	switch {
	case len(b) == 2 && b[1] == 0 && !f.negotiated && (b[0] == 5 || b[0] == 1):
		// "No authentication" (5, 0), or "authenticated" (1, 0).
		f.negotiated = true
		_ = f.Conn.SetDeadline(time.Now().Add(timeout(f.t.server.RequestTimeout, DefaultRequestTimeout)))
	case len(b) > 2 && b[0] == 5 && b[1] != 0 && f.t.reply != 0:
		b = append([]byte(nil), b...)
		b[1] = byte(f.t.reply)
	}
	return f.Conn.Write(b)
}

// WriteTo, ReadFrom, CloseWrite and Close: see front.
func (f *front) WriteTo(io.Writer) (int64, error)  { return 0, nil }
func (f *front) ReadFrom(io.Reader) (int64, error) { return 0, nil }
func (f *front) CloseWrite() error                 { return nil }
func (f *front) Close() error                      { return nil }

// back is the destination's connection as go-socks5 sees it: granted, without
// anything to copy, and without an address of ours to tell.
type back struct{ net.Conn }

// LocalAddr is what the success reply shows.
func (back) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero} }

// Write is never called with bytes: front has kept them.
func (back) Write(b []byte) (int, error)       { return len(b), nil }
func (back) WriteTo(io.Writer) (int64, error)  { return 0, nil }
func (back) ReadFrom(io.Reader) (int64, error) { return 0, nil }
func (back) CloseWrite() error                 { return nil }
func (back) Close() error                      { return nil }
