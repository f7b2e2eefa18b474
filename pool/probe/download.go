package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// slack is how much may come beside the body: headers, and the frame of TLS.
const slack = 64 << 10

// download asks for the target and reads size bytes of it. It uses up the session,
// and has closed its connection when it returns.
func (c *carriage) download(ctx context.Context, session *upstream.Session, t Target, own bool, size int64, with *siblings, which int) (d transfer) {
	raw := session.Conn()
	name := c.spec.Name()
	silence := c.tries.silence(c.route.rtt)
	first := max(silence, requestSilence)
	if own {
		first = silence
	}
	began := time.Now()
	if d.lost, d.err = ask(ctx, session, t.address(), first); d.err != nil {
		return d.refused()
	}
	defer func() { _ = upstream.Abort(raw) }()
	defer onEnd(ctx, func() { _ = raw.SetDeadline(past) })()

	now := time.Now()
	f := &pace{
		route: c.route, least: c.least, total: &c.moved, first: first, calm: c.p.calm(calmDown),
		began: now, last: now, with: with, which: which,
	}
	if !own {
		f.rtt = max(f.rtt, now.Sub(began)) // the way to the target is a part of it
	}
	_ = upstream.KeepAlive(raw, probeEvery, probeEvery)
	m := &meter{Conn: raw, ctx: ctx, pace: f, limit: size + slack}
	granted, err := c.p.fetch(m, t, size)
	if err != nil {
		err = &upstream.Error{Op: policy.Transfer, Endpoint: name, Err: err}
	}
	d = transfer{passed: f.passed(err), granted: granted}
	if d.Outcome == policy.Silent {
		d.lost = isLost(raw)
	}
	return d
}

// refused is a transfer that came to an end with the request.
func (d transfer) refused() transfer {
	d.Outcome = upstream.Classify(d.err)
	if reply, ok := errors.AsType[upstream.Reply](d.err); ok {
		d.Reply = uint8(reply)
	}
	return d
}

// past is a deadline that ends I/O at once.
var past = time.Unix(1, 0)

// ask sends CONNECT and waits for the reply. If none comes, lost says whether
// the bytes of the request were still unacknowledged shortly before the end;
// when the call returns the connection is closed and knows no more.
func ask(ctx context.Context, session *upstream.Session, destination string, limit time.Duration) (lost bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	early, stop := context.WithTimeout(ctx, limit*9/10)
	defer stop()
	raw := session.Conn()
	ended := onEnd(early, func() { lost = isLost(raw) })
	_, err = session.Request(ctx, destination)
	ended()
	return lost && upstream.Classify(err) == policy.Silent, err
}

// onEnd calls f when ctx ends, unless the function that it returns is called
// before; that one waits for f if it runs.
func onEnd(ctx context.Context, f func()) func() {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		f()
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// isLost is true if what was sent is not acknowledged.
func isLost(c net.Conn) bool {
	flow, ok := upstream.ReadFlow(c)
	return ok && flow.Unacked > 0 && flow.Acked < flow.Sent
}

// fetch does the HTTP, and says whether the target has granted what was asked for.
func (p *Prober) fetch(c net.Conn, t Target, size int64) (granted bool, err error) {
	if t.TLS {
		config := p.TLS.Clone()
		if config == nil {
			config = &tls.Config{}
		}
		if config.ServerName == "" {
			config.ServerName = t.Host
		}
		config.NextProtos = []string{"http/1.1"}
		secure := tls.Client(c, config)
		if err := secure.Handshake(); err != nil {
			if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
				return false, fmt.Errorf("%w: %w", errUnfit, err)
			}
			return false, err
		}
		c = secure
	}
	req, err := http.NewRequest(http.MethodGet, t.String(), nil)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errUnfit, err)
	}
	req.Close = true
	req.Header.Set("Accept-Encoding", "identity")
	if err := req.Write(c); err != nil {
		return false, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return false, err
	}
	// The body is not closed: that would read on to its end. The connection is.
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("%w: status %d", errUnfit, resp.StatusCode)
	}
	switch n, err := io.CopyN(io.Discard, resp.Body, want(t, size)); {
	case errors.Is(err, io.EOF):
		return true, fmt.Errorf("%w: only %d bytes long", errUnfit, n)
	case err != nil:
		return true, err
	}
	return true, nil
}

// want is how much of a target is moved.
func want(t Target, size int64) int64 {
	if t.Host == ReservedHost {
		return min(size, ReservedLimit)
	}
	return size
}

// meter counts what comes over a connection, and ends it as its pace says.
type meter struct {
	net.Conn
	ctx   context.Context
	pace  *pace
	limit int64 // on bytes
	slow  error
}

func (m *meter) Read(b []byte) (int, error) {
	if m.pace.bytes > m.limit {
		return 0, fmt.Errorf("%w: more than %d bytes of headers", errUnfit, slack)
	}
	for {
		if m.slow != nil {
			return 0, m.slow
		}
		now := time.Now()
		wait, err := m.pace.check(now, m.Conn)
		if err != nil {
			return 0, err
		}
		_ = m.Conn.SetReadDeadline(now.Add(wait))
		// The context's end sets a deadline in the past, which must not be lost to
		// the line above.
		if err := m.ctx.Err(); err != nil {
			return 0, err
		}
		n, err := m.Conn.Read(b)
		if n > 0 {
			m.slow = m.pace.moved(int64(n), time.Now())
		}
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		return n, err
	}
}
