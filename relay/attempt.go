package relay

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// attemptLimit bounds the endpoint's two phases of one attempt together. Three
// seconds hold three round trips of 600 ms and one lost segment.
const attemptLimit = 3 * time.Second

// attempt is one try to reach one endpoint. It runs on a goroutine of its own;
// the racer that started it decides whether it may go on to CONNECT.
type attempt struct {
	endpoint *pool.Endpoint
	began    time.Time
	cancel   context.CancelFunc
	take     chan bool // answers a ready attempt: go on, or not
	done     bool      // its endpoint's phases are over; guarded by losers.mu

	phase atomic.Int32 // policy.Phase; written by the attempt's goroutine
	since atomic.Int64 // when the phase began, in ns after began

	// Owned by the racer.
	batch   int
	active  bool                 // its endpoint was, when the phase was entered
	overdue [policy.Request]bool // what has been reported
	request question
	spare   *spare // what it began with, if that was a warm connection
	place   *shelf // where its session belongs if the race has no need of it

	// Written by the attempt before it reports.
	session *upstream.Session
	conn    net.Conn
	err     error
	outcome policy.Outcome // of CONNECT
}

// question is what a racer keeps of an attempt's CONNECT.
type question struct {
	asked    time.Time
	passed   bool // another attempt may ask beside it
	checked  time.Time
	reported policy.Outcome
	failed   bool
}

func newAttempt(ep *pool.Endpoint, batch int, cancel context.CancelFunc) *attempt {
	return &attempt{
		endpoint: ep, began: time.Now(), cancel: cancel, take: make(chan bool, 1),
		batch: batch, active: ep.State() == policy.Active,
	}
}

// enter marks the beginning of a phase, for whoever watches the attempt.
func (a *attempt) enter(p policy.Phase) time.Time {
	now := time.Now()
	a.since.Store(int64(now.Sub(a.began)))
	a.phase.Store(int32(p))
	return now
}

// at is the phase that the attempt is in, and since when.
func (a *attempt) at() (policy.Phase, time.Time) {
	p := policy.Phase(a.phase.Load())
	return p, a.began.Add(time.Duration(a.since.Load()))
}

// open goes through the endpoint's phases and reports what it sees, whether
// anybody still waits for the session or not.
func (a *attempt) open(ctx context.Context, s *Server) (*upstream.Session, error) {
	d, spec := s.config.Upstream, a.endpoint.Spec()
	asked := a.enter(policy.Connect)
	c, err := d.Connect(ctx, spec)
	a.report(ctx, s, policy.Connect, asked, err)
	if err != nil {
		return nil, err
	}
	asked = a.enter(policy.Greeting)
	session, err := d.Negotiate(ctx, c, spec)
	a.report(ctx, s, policy.Greeting, asked, err)
	if err != nil {
		return nil, err
	}
	a.enter(policy.Request)
	return session, nil
}

// report turns the end of a phase into evidence. A phase that was cancelled, or
// that our own host spoilt, says nothing about the endpoint.
func (a *attempt) report(ctx context.Context, s *Server, p policy.Phase, asked time.Time, err error) {
	outcome := outcomeOf(ctx, err)
	if outcome == policy.None || outcome == policy.Local {
		return
	}
	now := time.Now()
	if outcome == policy.Silent && ctx.Err() != nil && now.Sub(asked) < policy.ShortestSilence {
		outcome = policy.Overdue // the phase before has taken the attempt's time
	}
	ev := policy.Evidence{Phase: p, Outcome: outcome, Asked: asked, At: now}
	if outcome == policy.Answered {
		ev.Took = now.Sub(asked)
	}
	s.tell(a.endpoint, ev)
}

// outcomeOf is upstream.Classify with the one thing that only the caller knows:
// whether its own time limit or its own cancellation ended the phase.
func outcomeOf(ctx context.Context, err error) policy.Outcome {
	if err != nil {
		switch ctx.Err() {
		case context.Canceled:
			return policy.None
		case context.DeadlineExceeded:
			if errors.Is(err, context.DeadlineExceeded) {
				return policy.Silent
			}
		}
	}
	return upstream.Classify(err)
}

// losers holds the attempts that run on after their race was won, one for each
// endpoint: what they see is evidence, but more than one of them at a time
// would only be load.
type losers struct {
	mu    sync.Mutex
	known map[*pool.Endpoint]*attempt
}

// keep lets a run on, unless another one already does at its endpoint.
func (l *losers) keep(a *attempt) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known = make(map[*pool.Endpoint]*attempt)
	}
	if a.done || l.known[a.endpoint] != nil {
		return false
	}
	l.known[a.endpoint] = a
	return true
}

// end tells that a's phases are over, and frees its place if it had one.
func (l *losers) end(a *attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.done = true
	if l.known[a.endpoint] == a {
		delete(l.known, a.endpoint)
	}
}
