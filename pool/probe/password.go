package probe

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// loginSilence is how long an endpoint that has chosen to be given credentials may
// take over them. It is more than a greeting has, since many wait on purpose before
// they say that a password is wrong: 2 s, give or take a quarter, where PAM decides.
const loginSilence = 3 * time.Second

// errUntold means that a try was not made to its end, as another's password was
// not accepted.
var errUntold = errors.New("the password was not sent")

// password is that of one endpoint in one examination. Somebody who sends a wrong
// one five times at once is banned from most servers, and shut out by our own doing.
// So one try sends it, and the others wait until it is accepted: if it is refused,
// or nothing comes of it, they do not send it at all. The zero value is ready to use.
type password struct {
	mu       sync.Mutex
	state    standing
	settled  chan struct{} // closed once the first try with it is over
	deciding *try          // that one
}

// standing is what is known of a password.
type standing uint8

const (
	untried standing = iota
	asked
	accepted
	doubted
)

// may waits until a try may send the password, and reports errUntold if it must
// not.
func (p *password) may(ctx context.Context, by *try) error {
	p.mu.Lock()
	if p.state == untried {
		p.state, p.deciding, p.settled = asked, by, make(chan struct{})
		p.mu.Unlock()
		return nil
	}
	settled := p.settled
	p.mu.Unlock()
	select {
	case <-settled:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == doubted {
		return errUntold
	}
	return nil
}

// over tells what came of a try.
func (p *password) over(by *try, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.state == asked && p.deciding == by:
		p.state = accepted
		if err != nil {
			p.state = doubted
		}
		close(p.settled)
	case upstream.Classify(err) == policy.Denied && p.state == untried:
		// Refused before anybody was asked for it: nothing that was offered will do.
		p.state, p.settled = doubted, make(chan struct{})
		close(p.settled)
	}
}

// wrong says whether it makes no sense to begin another try.
func (p *password) wrong() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == doubted
}

// negotiate greets over c, and may be without an answer for as long as limit. The
// time for which it waits to send the password is not counted.
func (t *tries) negotiate(ctx context.Context, c conn, now *try, limit time.Duration) (*upstream.Session, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(max(limit, 1), func() { cancel(context.DeadlineExceeded) })
	defer late.Stop()
	s, err := t.p.upstream().NegotiateIf(ctx, c, t.spec, func() error {
		late.Stop()
		if err := t.password.may(ctx, now); err != nil {
			return err
		}
		late.Reset(max(limit, t.p.calm(loginSilence)))
		return nil
	})
	if err != nil && context.Cause(ctx) == context.DeadlineExceeded { //nolint:errorlint // it is given bare
		err = &upstream.Error{Op: policy.Greeting, Endpoint: t.spec.Name(), Err: context.DeadlineExceeded}
	}
	t.password.over(now, err)
	return s, err
}
