package relay

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/armon/go-socks5"

	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// front is the client's connection as go-socks5 sees it: the handshake's frames
// and nothing behind them. It is never closed by go-socks5, and carries no data:
// the stream does that on the client's own connection.
type front struct {
	session *session
	pending []byte // read by the relay, not yet by go-socks5
	method  byte
	stage   int
}

var (
	_ net.Conn       = (*front)(nil)
	_ io.WriterTo    = (*front)(nil)
	_ io.ReaderFrom  = (*front)(nil)
	_ socks5.RuleSet = (*front)(nil)
)

// Read gives the greeting, the login if there is one, and the request.
func (f *front) Read(p []byte) (int, error) {
	if len(f.pending) == 0 {
		lacks := requestLacks
		switch {
		case f.stage == 0 && f.method == methodLogin:
			lacks = loginLacks
			f.stage = 1
		case f.stage <= 1:
			f.stage = 2
		default:
			return 0, io.EOF
		}
		b, err := f.session.frame(lacks)
		if err != nil {
			return 0, err
		}
		f.pending = b
	}
	n := copy(p, f.pending)
	f.pending = f.pending[n:]
	return n, nil
}

// Write passes go-socks5's answers on, with the code of a failed reply replaced:
// it would choose one by searching the error's text.
func (f *front) Write(p []byte) (int, error) {
	const shortestReply = 10
	if code := f.session.reply; code != upstream.Succeeded && len(p) >= shortestReply && p[1] != 0 {
		b := append([]byte(nil), p...)
		b[1] = byte(code)
		p = b
	}
	return f.session.client.Write(p)
}

// Allow refuses a CONNECT to no host or no port, which would otherwise reach
// somebody's loopback. BIND and UDP ASSOCIATE are let through to go-socks5, which
// answers that it does not know them.
func (f *front) Allow(ctx context.Context, req *socks5.Request) (context.Context, bool) {
	if req.Command != socks5.ConnectCommand {
		return ctx, true
	}
	d := req.DestAddr
	if d.Port == 0 || len(d.IP) == 0 && !isName(d.FQDN) {
		f.session.reply = upstream.GeneralFailure
		return ctx, false
	}
	return ctx, true
}

// Close leaves the connection to the session.
func (f *front) Close() error { return nil }

// CloseWrite, ReadFrom and WriteTo end go-socks5's copying at once.
func (f *front) CloseWrite() error                  { return nil }
func (f *front) ReadFrom(io.Reader) (int64, error)  { return 0, nil }
func (f *front) WriteTo(io.Writer) (int64, error)   { return 0, nil }
func (f *front) LocalAddr() net.Addr                { return f.session.client.LocalAddr() }
func (f *front) RemoteAddr() net.Addr               { return f.session.client.RemoteAddr() }
func (f *front) SetDeadline(t time.Time) error      { return f.session.client.SetDeadline(t) }
func (f *front) SetReadDeadline(t time.Time) error  { return f.session.client.SetReadDeadline(t) }
func (f *front) SetWriteDeadline(t time.Time) error { return f.session.client.SetWriteDeadline(t) }

// granted stands for the destination towards go-socks5. Its address, which goes
// into the success reply, says nothing about us.
type granted struct{}

var nowhere = &net.TCPAddr{IP: net.IPv4zero}

func (granted) Read([]byte) (int, error)          { return 0, io.EOF }
func (granted) Write(p []byte) (int, error)       { return len(p), nil }
func (granted) WriteTo(io.Writer) (int64, error)  { return 0, nil }
func (granted) ReadFrom(io.Reader) (int64, error) { return 0, nil }
func (granted) CloseWrite() error                 { return nil }
func (granted) Close() error                      { return nil }
func (granted) LocalAddr() net.Addr               { return nowhere }
func (granted) RemoteAddr() net.Addr              { return nowhere }
func (granted) SetDeadline(time.Time) error       { return nil }
func (granted) SetReadDeadline(time.Time) error   { return nil }
func (granted) SetWriteDeadline(time.Time) error  { return nil }

var _ net.Conn = granted{}
