package exit

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"sync"
	"time"

	"github.com/armon/go-socks5"

	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// keepAlive finds peers that have vanished, and keeps NATs from forgetting the
// stream.
const keepAlive = 30 * time.Second

// stream is one client's connection, from accept to end.
//
//	negotiating ──(request)──> busy ──(end)
//	     └──(Shutdown)──> cut <──(Close)──┘
type stream struct {
	server *Server
	client net.Conn
	in     intake
	reply  upstream.Reply // overrides go-socks5's choice in a failed reply
	probed bool           // the reserved name was asked for

	ctx    context.Context // ends when the stream is cut
	cancel context.CancelFunc

	mu     sync.Mutex
	phase  phase
	target net.Conn
}

type phase uint8

const (
	negotiating phase = iota
	busy
	gone
)

var errCut = errors.New("the stream was cut")

func newStream(s *Server, client net.Conn) *stream {
	ctx, cancel := context.WithCancel(context.Background())
	return &stream{server: s, client: client, ctx: ctx, cancel: cancel}
}

// serve runs the protocol, then leaves the stream to the pump.
func (t *stream) serve() {
	upstream.Tune(t.client)
	_ = upstream.KeepAlive(t.client, keepAlive, keepAlive)
	_ = t.client.SetDeadline(time.Now().Add(timeout(t.server.NegotiateTimeout, DefaultNegotiateTimeout)))
	err := t.speak()
	switch {
	case err == nil && t.probed:
		t.answerProbe()
		t.end()
	case err == nil && t.target != nil:
		t.pump()
	default:
		t.server.log().Debug("connection ended without a stream", "client", t.client.RemoteAddr(), "err", err)
		t.part()
		t.end()
	}
}

// speak has go-socks5 talk to the client, up to and including the reply. There
// is one go-socks5 server for each connection, whose hooks thus know whom they
// serve; it costs a microsecond.
func (t *stream) speak() error {
	proto, err := socks5.New(&socks5.Config{
		AuthMethods: []socks5.Authenticator{t.server.method()},
		Resolver:    asGiven{},
		Dial:        t.dial,
		Logger:      log.New(io.Discard, "", 0),
	})
	if err != nil {
		return err
	}
	return proto.ServeConn(&front{Conn: t.client, t: t})
}

// begin is false if the stream was cut before its request was read.
func (t *stream) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.phase != negotiating {
		return false
	}
	t.phase = busy
	return true
}

// attach gives the stream its connection to the destination, or closes it if
// the stream has been cut meanwhile.
func (t *stream) attach(target net.Conn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.phase != busy {
		_ = target.Close()
		return errCut
	}
	t.target = target
	return nil
}

// cutIdle cuts the stream if it has no request yet.
func (t *stream) cutIdle() {
	t.mu.Lock()
	idle := t.phase == negotiating
	if idle {
		t.phase = gone
	}
	t.mu.Unlock()
	if idle {
		t.cancel()
		_ = t.client.Close()
	}
}

// cut ends the stream now; both sides see RST.
func (t *stream) cut() {
	t.mu.Lock()
	t.phase = gone
	target := t.target
	t.mu.Unlock()
	t.cancel()
	_ = upstream.Abort(t.client)
	if target != nil {
		_ = upstream.Abort(target)
	}
}

// part lets the client read the reply: a connection that is closed with bytes
// unread is reset, and the reply may be lost with it.
func (t *stream) part() {
	w, ok := t.client.(interface{ CloseWrite() error })
	if !ok || w.CloseWrite() != nil {
		return
	}
	_ = t.client.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.CopyN(io.Discard, t.client, 64<<10)
}

// end closes what is open and takes the stream off the server's list.
func (t *stream) end() {
	t.mu.Lock()
	t.phase = gone
	target := t.target
	t.mu.Unlock()
	t.cancel()
	_ = t.client.Close()
	if target != nil {
		_ = target.Close()
	}
	t.server.forget(t)
}
