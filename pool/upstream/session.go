package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"

	"golang.org/x/net/proxy"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Session is a connection to an endpoint that has negotiated and awaits its
// one request. It is safe for concurrent use; of several calls of Request one
// is served.
type Session struct {
	conn  net.Conn
	name  string
	used  atomic.Bool
	vigil vigil
}

// Negotiate greets the endpoint at the other end of c and authenticates, if
// the spec has a user. It sends no request. It takes over c: on error, or when
// ctx is cancelled, c is closed. It has no time limit but ctx, and leaves no
// deadline on c. Errors are of type *Error, with Op policy.Greeting.
func (d *Dialer) Negotiate(ctx context.Context, c net.Conn, s policy.Spec) (*Session, error) {
	return d.NegotiateIf(ctx, c, s, nil)
}

// NegotiateIf is Negotiate that asks before it sends the credentials, when the
// endpoint has chosen to be given them: may returns nil to let them be sent, or the
// error that Negotiate is to end in, wrapped. It may wait; nil lets all be sent.
func (d *Dialer) NegotiateIf(ctx context.Context, c net.Conn, s policy.Spec, may func() error) (*Session, error) {
	var auth *proxy.Auth
	if s.User != "" {
		auth = &proxy.Auth{User: s.User, Password: s.Password}
	}
	g := &greeting{Conn: c, may: may}
	// The destination is never sent: g stops at it.
	err := speak(ctx, c, g, auth, "0.0.0.0:1")
	if errors.Is(err, errGreeted) {
		return &Session{conn: c, name: s.Name()}, nil
	}
	_ = Abort(c)
	return nil, &Error{Op: policy.Greeting, Endpoint: s.Name(), Err: g.explain(err)}
}

// Request asks the endpoint to connect to the destination, a host:port, and
// returns the connection that Negotiate was given, as it is, ready to carry
// data. Nothing beyond the endpoint's reply has been read from it.
//
// The session is spent by it: on error the connection is closed, and a second
// call returns ErrUsed. It has no time limit but ctx, and leaves no deadline on
// the connection. Errors are of type *Error, with Op policy.Request; for an
// endpoint's refusal errors.Is finds the Reply.
func (s *Session) Request(ctx context.Context, destination string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		e := &Error{Op: policy.Request, Endpoint: s.name, Destination: destination, Err: err}
		errors.As(err, &e.Reply)
		return nil, e
	}
	if !s.used.CompareAndSwap(false, true) {
		return fail(ErrUsed)
	}
	if err := checkDestination(destination); err != nil {
		_ = Abort(s.conn)
		return fail(err)
	}
	r := &request{Conn: s.conn}
	if err := speak(ctx, s.conn, r, nil, destination); err != nil {
		_ = Abort(s.conn)
		return fail(r.explain(err))
	}
	return s.conn, nil
}

// Conn is the session's connection, for reading its flow and setting its
// keep-alive. It must not be read from or written to; see Await.
func (s *Session) Conn() net.Conn { return s.conn }

// Close closes the connection, unless Request has handed it on. It ends with RST:
// where nobody answers any more, a kernel repeats a FIN for a minute and more, and
// keeps awake a blocker that counts from the last attempt.
func (s *Session) Close() error {
	if !s.used.CompareAndSwap(false, true) {
		return nil
	}
	return Abort(s.conn)
}

// withConn is what the dialer of proxy.SOCKS5 can do beyond proxy.Dialer.
type withConn interface {
	DialWithConn(ctx context.Context, c net.Conn, network, address string) (net.Addr, error)
}

// speak runs x/net's client over shim, whose bytes go to and come from c.
//
// The client gets no context of ours: it would start a goroutine for it, which
// may still set a deadline on c after the client has returned an error, and
// errGreeted is one. So ctx ends the I/O from here, and the stop is waited for.
func speak(ctx context.Context, c, shim net.Conn, auth *proxy.Auth, destination string) error {
	d, err := proxy.SOCKS5("tcp", "", auth, nil)
	if err != nil {
		return err
	}
	client, ok := d.(withConn)
	if !ok {
		return fmt.Errorf("socks5 dialer %T cannot use a given connection", d)
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = c.SetDeadline(past)
	})
	_, err = client.DialWithConn(context.Background(), shim, "tcp", destination)
	if !stop() {
		<-ended
		if err == nil || errors.Is(err, errGreeted) {
			return ctx.Err()
		}
	}
	return preferContext(ctx, err)
}

// preferContext is ctx's error if that is what ended the I/O, which the error
// itself does not say.
func preferContext(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) || isCanceled(err)) {
		return ctx.Err()
	}
	return err
}

// isCanceled is true for the unexported error that package net gives for a
// dial whose context was cancelled, which in turn is context.Canceled by Is.
func isCanceled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// checkDestination finds what x/net would refuse only after the greeting.
func checkDestination(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDestination, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%w: port %q", ErrDestination, port)
	}
	if host == "" || len(host) > 255 {
		return fmt.Errorf("%w: a host of %d bytes", ErrDestination, len(host))
	}
	return nil
}
