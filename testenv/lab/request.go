package lab

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// question is one request of one client.
type question struct {
	client string
	to     string // the destination's name
	tls    bool
	path   string
}

func (q question) String() string {
	scheme := "http"
	if q.tls {
		scheme = "https"
	}
	return fmt.Sprintf("%s: GET %s://%s%s", q.client, scheme, q.to, q.path)
}

// bodyTime is how long a client waits for the rest of an answer.
const bodyTime = 15 * time.Second

// grace is what a client allows beyond the relay's patience for the relay's
// own answer.
const grace = time.Second

// request asks once, and never again. It is answered when the first byte from
// the destination has come; what goes wrong after that counts as a stream cut.
func (v *vantage) request(ctx context.Context, q question) {
	asked := time.Now()
	// How it ended is in the tally.
	_ = v.ask(ctx, asked, q, func(body io.Reader, conn net.Conn) error {
		v.tally.stream(true, false)
		_ = conn.SetDeadline(time.Now().Add(bodyTime))
		_, err := io.Copy(io.Discard, body)
		v.tally.stream(false, err != nil && ctx.Err() == nil)
		return err
	})
}

// stream keeps one long stream open: when it is cut, the next one is asked for.
func (v *vantage) stream(ctx context.Context, client, to string) {
	q := question{client: client, to: to, path: "/stream"}
	for ctx.Err() == nil {
		now := time.Now()
		if !v.tally.ask(now) {
			return
		}
		err := v.ask(ctx, now, q, func(body io.Reader, conn net.Conn) error {
			v.tally.stream(true, false)
			_ = conn.SetDeadline(time.Time{})
			_, err := io.Copy(io.Discard, body)
			v.tally.stream(false, ctx.Err() == nil)
			return err
		})
		if err != nil && ctx.Err() == nil {
			pause(ctx, time.Second)
		}
	}
}

// ask sends one request and notes in the tally whether its first byte came. If
// so, rest reads the answer.
func (v *vantage) ask(ctx context.Context, asked time.Time, q question, rest func(body io.Reader, conn net.Conn) error) error {
	failed := func(err error) error {
		switch {
		case err == nil:
		case ctx.Err() != nil:
			v.tally.abandon(time.Now())
		default:
			v.tally.fail(asked, time.Now(), v.plan.Name+" "+q.String(), err)
		}
		return err
	}
	limit, cancel := context.WithDeadline(ctx, asked.Add(patience+grace))
	defer cancel()
	conn, err := v.connect(limit, q)
	if err != nil {
		return failed(err)
	}
	defer conn.Close()
	// An end of the run ends what is under way.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(asked.Add(patience + grace))
	watched := &firstByte{Conn: conn, came: func() { v.tally.answer(asked, time.Now()) }}
	body, err := v.get(limit, watched, q)
	if err != nil {
		if watched.seen {
			// Answered, and cut before the answer's head was complete.
			v.tally.stream(true, false)
			v.tally.stream(false, ctx.Err() == nil)
			return err
		}
		return failed(err)
	}
	defer body.Close()
	return rest(body, conn)
}

// connect asks the relay for the destination.
func (v *vantage) connect(ctx context.Context, q question) (net.Conn, error) {
	at := netip.MustParseAddrPort(v.listener.Addr().String())
	spec := policy.Spec{Host: at.Addr().String(), Addr: at.Addr(), Port: at.Port(), User: q.client, Password: "-"}
	c, err := v.client.Connect(ctx, spec)
	if err != nil {
		return nil, err
	}
	s, err := v.client.Negotiate(ctx, c, spec)
	if err != nil {
		return nil, err
	}
	port := "80"
	if q.tls {
		port = "443"
	}
	return s.Request(ctx, net.JoinHostPort(q.to, port))
}

// get sends the request itself and reads the head of the answer.
func (v *vantage) get(ctx context.Context, conn net.Conn, q question) (io.ReadCloser, error) {
	if q.tls {
		config := v.tls.Clone()
		config.ServerName = q.to
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secure
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+q.to+q.path, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Close = true
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(errors.New(response.Status), response.Body.Close())
	}
	return response.Body, nil
}

// firstByte is a conn that tells of the first byte that comes.
type firstByte struct {
	net.Conn

	came func()
	seen bool
}

func (f *firstByte) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if n > 0 && !f.seen {
		f.seen = true
		f.came()
	}
	return n, err
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
