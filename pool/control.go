package pool

import (
	"context"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Control is a host outside of the pool that shows, by completing a TCP
// handshake, that our own network works. It should be something that the blocker
// has no reason to touch, and where a connection gives nothing away; neither an
// endpoint nor a probe target, and not on this side of the way out: a gateway
// answers while its uplink is down.
//
// A control is asked only in doubt: when a suspect has no other endpoint to bear
// witness, and when every endpoint in use is silent, before a reserve is exposed.
type Control interface {
	// Reach makes one TCP connection, closes it, and returns nil if the
	// handshake was completed. It must honour ctx, and be safe for concurrent
	// use.
	Reach(ctx context.Context) error
}

// ControlFunc lets a function be a [Control].
type ControlFunc func(ctx context.Context) error

// Reach calls f.
func (f ControlFunc) Reach(ctx context.Context) error { return f(ctx) }

// controlLimit is how long a control has to answer. It is less than the second
// after which a kernel repeats an unanswered SYN (RFC 6298), so that an answer
// shows that the network worked when it was asked, and not only later.
const controlLimit = 900 * time.Millisecond

// question is one asking of all controls, shared by the examinations that were
// begun at the same instant.
type question struct {
	asked time.Time
	over  chan struct{} // closed when the answer is known
	// answer is Answered if any control answered, Silent if none did in time.
	answer policy.Outcome
}

// consult asks the controls if any of the actions wants that. It is nil if none
// does. now is what Advance was given.
func (p *Pool) consult(ctx context.Context, actions []policy.Action, now time.Time, work *sync.WaitGroup) *question {
	for _, a := range actions {
		if a.Outside {
			q := &question{asked: now, over: make(chan struct{}), answer: policy.Silent}
			work.Go(func() { p.ask(ctx, q) })
			return q
		}
	}
	return nil
}

// ask reaches for all controls at once, and is content with the first answer.
func (p *Pool) ask(ctx context.Context, q *question) {
	ctx, cancel := context.WithTimeout(ctx, controlLimit)
	defer cancel()
	var reached sync.Once
	var dials sync.WaitGroup
	for _, c := range p.config.Controls {
		dials.Go(func() {
			if c.Reach(ctx) != nil {
				return
			}
			reached.Do(func() {
				cancel()
				p.mu.Lock()
				p.group.ControlAnswered(q.asked)
				p.mu.Unlock()
				p.rouse()
				q.answer = policy.Answered
				close(q.over)
			})
		})
	}
	dials.Wait()
	reached.Do(func() { close(q.over) })
}

// witness is what the controls have to say of the network, when they have said
// it.
func (q *question) witness() policy.Control {
	<-q.over
	return policy.Control{
		Endpoint:    policy.Outside,
		Examination: policy.Examination{Asked: q.asked, Greeting: q.answer},
	}
}
