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
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// slack is how much may come beside the body: headers, and the frame of TLS.
const slack = 64 << 10

// download is what came of one download through an endpoint.
type download struct {
	outcome policy.Outcome
	reply   upstream.Reply
	bytes   int64         // that came over the connection after the endpoint's reply
	took    time.Duration // from the request to the last of them
	lost    bool          // what we sent was never acknowledged: the path is at fault
	err     error
}

// report puts the download into an examination.
func (d download) report(x *policy.Examination) {
	x.Down, x.Err = policy.Passage{Outcome: d.outcome, Reply: uint8(d.reply), Bytes: d.bytes}, d.err
	if d.bytes > 0 {
		x.Down.Rate = float64(d.bytes) / max(d.took, time.Microsecond).Seconds()
	}
}

// download asks for the target and reads Size bytes of it. It uses up the
// session, and has closed its connection when it returns.
func (p *Prober) download(ctx context.Context, session *upstream.Session, endpoint string, t Target, own bool) (d download) {
	raw := session.Conn()
	step := p.silence(endpoint, 0)
	first := max(step, requestSilence)
	if own {
		first = step
	}
	if d.lost, d.err = ask(ctx, session, t.address(), first); d.err != nil {
		d.outcome = upstream.Classify(d.err)
		errors.As(d.err, &d.reply)
		return d
	}
	defer func() { _ = raw.Close() }()
	defer onEnd(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })()

	m := &meter{Conn: raw, ctx: ctx, step: step, first: first, limit: p.size() + slack, began: time.Now()}
	m.last = m.began
	if err := p.fetch(m, t); err != nil {
		d.err = &upstream.Error{Op: policy.Transfer, Endpoint: endpoint, Err: err}
	}
	d.bytes, d.took = m.bytes, m.last.Sub(m.began)
	d.outcome = upstream.Classify(d.err)
	if d.outcome == policy.Silent {
		d.lost = d.bytes == 0 && isLost(raw)
		if d.bytes > 0 {
			d.outcome = policy.Stalled
			d.err = fmt.Errorf("stalled after %d bytes: %w", d.bytes, d.err)
		}
	}
	return d
}

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

// fetch does the HTTP.
func (p *Prober) fetch(c net.Conn, t Target) error {
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
				return fmt.Errorf("%w: %w", errUnfit, err)
			}
			return err
		}
		c = secure
	}
	req, err := http.NewRequest(http.MethodGet, t.String(), nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	req.Close = true
	req.Header.Set("Accept-Encoding", "identity")
	if err := req.Write(c); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return err
	}
	// The body is not closed: that would read on to its end. The connection is.
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: status %d", errUnfit, resp.StatusCode)
	}
	switch n, err := io.CopyN(io.Discard, resp.Body, p.want(t)); {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: only %d bytes long", errUnfit, n)
	case err != nil:
		return err
	}
	return nil
}

// want is how much of a target is read.
func (p *Prober) want(t Target) int64 {
	if t.Host == ReservedHost {
		return min(p.size(), ReservedLimit)
	}
	return p.size()
}

// meter counts what comes over a connection and ends it when nothing does for
// a while.
type meter struct {
	net.Conn
	ctx         context.Context
	first, step time.Duration // the longest silence before and after the first byte
	limit       int64         // on bytes
	began, last time.Time
	bytes       int64
}

func (m *meter) Read(b []byte) (int, error) {
	step := m.step
	if m.bytes == 0 {
		step = m.first
	}
	if m.bytes > m.limit {
		return 0, fmt.Errorf("%w: more than %d bytes of headers", errUnfit, slack)
	}
	_ = m.Conn.SetReadDeadline(time.Now().Add(step))
	// The context's end sets a deadline in the past, which must not be lost to
	// the line above.
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.Conn.Read(b)
	if n > 0 {
		m.bytes += int64(n)
		m.last = time.Now()
	}
	return n, err
}
