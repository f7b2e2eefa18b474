package probe

import (
	"bufio"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// firstFlight is how much of an upload may be unacknowledged at first. It may be
// as much more as has been acknowledged, like a sender that starts slowly: what
// was under way when a path froze never counts as moved, so that too much of it
// would hide where the flow has stopped.
const firstFlight = 4 << 10

// lookAtLeast is the shortest pause between two looks at what is acknowledged.
const lookAtLeast = 200 * time.Microsecond

// upload posts size bytes to the reserved target, none of which compress. What has
// moved is what the endpoint has acknowledged, and all of it only when the target
// says so. It uses up the session, and has closed its connection when it returns.
func (c *carriage) upload(ctx context.Context, session *upstream.Session, size int64, with *siblings, which int) (d transfer) {
	raw := session.Conn()
	name := c.spec.Name()
	silence := c.tries.silence(c.route.rtt)
	if d.lost, d.err = ask(ctx, session, reserved(0).address(), silence); d.err != nil {
		return d.refused()
	}
	// Reset what failed: the kernel would go on with it for minutes.
	defer func() {
		if d.err != nil {
			_ = upstream.Abort(raw)
			return
		}
		_ = raw.Close()
	}()
	defer onEnd(ctx, func() { _ = raw.SetDeadline(past) })()

	now := time.Now()
	calm := c.p.calm(calmUp)
	u := &uploading{
		Conn: raw,
		pace: pace{
			route: c.route, least: c.least, total: &c.moved, first: max(silence, calm), calm: calm,
			began: now, last: now, with: with, which: which,
		},
		body: noise(min(size, ReservedLimit)),
	}
	if flow, ok := upstream.ReadFlow(raw); ok {
		u.before, u.known = flow.Acked, true
	}
	err := u.run(ctx)
	if err != nil {
		err = &upstream.Error{Op: policy.Transfer, Endpoint: name, Err: err}
	}
	return transfer{passed: u.pace.passed(err), granted: err == nil}
}

// uploading is an upload under way.
type uploading struct {
	net.Conn
	pace    pace
	body    []byte // headers included
	written int
	// before was acknowledged when it began, if that is known.
	before int64
	known  bool
}

// noise is a request with a body of n bytes that nothing on the way can compress
// or has seen before.
func noise(n int64) []byte {
	head := fmt.Sprintf("POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		ReservedHost, n)
	body := make([]byte, int64(len(head))+n)
	copy(body, head)
	var seed [32]byte
	_, _ = crand.Read(seed[:])
	_, _ = rand.NewChaCha8(seed).Read(body[len(head):])
	return body
}

// run writes, and watches what is acknowledged, until the answer is there.
func (u *uploading) run(ctx context.Context) error {
	var answer error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		answer = u.answered()
	}()
	defer func() {
		_ = u.SetReadDeadline(past)
		<-answered
	}()
	for {
		now := time.Now()
		if err := u.note(now); err != nil {
			return err
		}
		if _, err := u.pace.check(now, u.Conn); err != nil {
			return err
		}
		// The longer nothing has moved, the less often it is looked at.
		pause := min(max(now.Sub(u.pace.last)/8, u.pace.rtt/16, lookAtLeast), tick/2)
		if err := u.write(ctx, pause); err != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-answered:
			timer.Stop()
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case answer != nil:
				return answer
			case u.written < len(u.body):
				return fmt.Errorf("%w: an answer after %d bytes of %d", errUnfit, u.written, len(u.body))
			}
			// The answer shows that all has arrived. Whether that was slow, the rate
			// says.
			_ = u.pace.moved(int64(u.written)-u.pace.bytes, time.Now())
			return nil
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// note takes in what has been acknowledged since.
func (u *uploading) note(now time.Time) error {
	moved := int64(u.written)
	if u.known {
		flow, ok := upstream.ReadFlow(u.Conn)
		if !ok {
			return nil // it is closed: the answer says why
		}
		moved = flow.Acked - u.before
	}
	if moved <= u.pace.bytes {
		return nil
	}
	return u.pace.moved(moved-u.pace.bytes, now)
}

// write sends as much as may be under way.
func (u *uploading) write(ctx context.Context, patience time.Duration) error {
	until := min(int64(len(u.body)), 2*u.pace.bytes+firstFlight)
	if int64(u.written) >= until {
		return nil
	}
	_ = u.SetWriteDeadline(time.Now().Add(patience))
	if err := ctx.Err(); err != nil {
		return err
	}
	n, err := u.Write(u.body[u.written:until])
	u.written += n
	u.pace.ahead = int64(u.written)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil // the buffer is full
	}
	return err
}

// answered waits for the target's answer.
func (u *uploading) answered() error {
	resp, err := http.ReadResponse(bufio.NewReader(u.Conn), nil)
	if err != nil {
		return err
	}
	// The body is not closed: that would read on to its end. The connection is.
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: status %d", errUnfit, resp.StatusCode)
	}
	return nil
}
