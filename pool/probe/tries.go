package probe

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

const (
	// apart is the pause between the begins of two tries, so that a short burst
	// of loss does not take them all. One that has failed by an answer lets the
	// next begin at once.
	apart = 25 * time.Millisecond
	// lossMargin is added to two round trips to tell a handshake that is lost from
	// one that is late. The next SYN is sent after a second (RFC 6298).
	lossMargin = 30 * time.Millisecond
)

// tries are handshakes with one endpoint, made independently of each other.
type tries struct {
	p    *Prober
	spec policy.Spec
	// patience is the least time that a TCP handshake is given.
	patience time.Duration
	// answered are the sessions of those that were. It is closed when all tries
	// have ended.
	answered chan *upstream.Session
	cancel   context.CancelFunc
	password password

	mu   sync.Mutex
	made []*try
	came *tally // of them, once they are given up
}

// try is one handshake.
type try struct {
	began    time.Time
	rtt      time.Duration // of the TCP handshake; zero if it was not completed
	ended    bool
	answered bool
	phase    policy.Phase   // that failed
	outcome  policy.Outcome // None: it was given up
	err      error
}

// knock begins n tries. The caller has to call end.
func (p *Prober) knock(ctx context.Context, s policy.Spec, n int, patience time.Duration) *tries {
	ctx, cancel := context.WithCancel(ctx)
	t := &tries{p: p, spec: s, patience: patience, answered: make(chan *upstream.Session, n), cancel: cancel}
	go t.run(ctx, n)
	return t
}

// run begins the tries one after the other, and waits for all.
func (t *tries) run(ctx context.Context, n int) {
	defer close(t.answered)
	pause := min(apart, t.silence(0)/time.Duration(8*n))
	failed := make(chan struct{}, n)
	first := time.Now()
	var running sync.WaitGroup
	defer running.Wait()
	for i := range n {
		if i > 0 {
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-failed:
			case <-ctx.Done():
			}
			timer.Stop()
		}
		if ctx.Err() != nil || t.password.wrong() {
			return
		}
		now := &try{began: time.Now()}
		t.mu.Lock()
		t.made = append(t.made, now)
		t.mu.Unlock()
		running.Go(func() {
			t.make(ctx, now, now.began.Sub(first))
			if now.outcome != policy.Answered && now.outcome != policy.Silent {
				failed <- struct{}{}
			}
		})
	}
}

// make connects and negotiates. Each of the two may be without an answer for as
// long as silence allows, less what this try began later than the first, so that
// all that are silent end together.
func (t *tries) make(ctx context.Context, now *try, late time.Duration) {
	phase := policy.Connect
	var session *upstream.Session
	c, err := within(ctx, max(t.silence(0), t.patience)-late, func(ctx context.Context) (conn, error) {
		return t.p.upstream().Connect(ctx, t.spec)
	})
	if err == nil {
		rtt := time.Since(now.began)
		t.mu.Lock()
		now.rtt = rtt
		t.mu.Unlock()
		phase = policy.Greeting
		// One whose SYN was repeated takes a second longer than the way does.
		session, err = t.negotiate(ctx, c, now, max(t.silence(t.rtt()), t.patience-rtt)-late)
	}
	t.mu.Lock()
	now.ended, now.answered, now.phase, now.err = true, err == nil, phase, err
	if now.outcome = upstream.Classify(err); err != nil && errors.Is(ctx.Err(), context.Canceled) || errors.Is(err, errUntold) {
		now.outcome = policy.None
	}
	t.mu.Unlock()
	if session != nil {
		t.answered <- session
	}
}

// first is the session of the first try that is answered; nil if none is.
func (t *tries) first() *upstream.Session { return <-t.answered }

// next is the session of a further try. If none is answered within a few round
// trips more, it is one that is made on purpose; nil, and why, if that fails too.
func (t *tries) next(ctx context.Context) (*upstream.Session, error) {
	patience := time.NewTimer(max(4*t.rtt(), 250*time.Millisecond))
	defer patience.Stop()
	select {
	case s := <-t.answered:
		if s != nil {
			return s, nil
		}
	case <-patience.C:
	}
	return t.p.greet(ctx, t.spec)
}

// silence is how long the endpoint may leave a question unanswered: 1 s, or four
// round trips if that is more. One that retransmits loses less.
func (t *tries) silence(rtt time.Duration) time.Duration {
	rtt = max(rtt, t.p.memory.trace(t.spec.Name()).rtt)
	return max(t.p.floor(), 4*rtt)
}

// giveUp ends the tries that still run.
func (t *tries) giveUp() {
	t.mu.Lock()
	if t.came == nil {
		sum := t.sum(time.Now())
		t.came = &sum
	}
	t.mu.Unlock()
	t.cancel()
}

// end gives up the tries that still run, waits for them, closes the sessions
// that nobody has taken, and says what came of it all.
func (t *tries) end() tally {
	t.giveUp()
	for s := range t.answered {
		_ = s.Close()
	}
	return *t.came
}

// rtt is the shortest TCP handshake so far.
func (t *tries) rtt() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum(time.Now()).rtt
}

// tally is what came of several tries.
type tally struct {
	// tries have come to their own end, failures of them unanswered.
	tries, failures int
	rtt             time.Duration // the shortest TCP handshake; zero if there is none
	// How most of them failed, the last of these if equal.
	outcome policy.Outcome
	phase   policy.Phase
	err     error
	// handshakes are TCP handshakes of which it is known whether they were lost,
	// with some SYN or its answer, as some of them were: lost.
	handshakes, lost int
}

// sum adds up. The lock is held. A try that is given up because another was
// answered counts as neither answered nor failed. Whether its SYN was lost shows
// earlier than that: by how long the others took.
func (t *tries) sum(now time.Time) (s tally) {
	for _, one := range t.made {
		if one.rtt > 0 && (s.rtt == 0 || one.rtt < s.rtt) {
			s.rtt = one.rtt
		}
	}
	counts := make(map[[2]uint8]int)
	most := 0
	for _, one := range t.made {
		late := 2*s.rtt + lossMargin
		switch {
		case one.rtt > 0 && one.rtt < late:
			s.handshakes++
		case s.rtt > 0 && (one.rtt > 0 || !one.ended && now.Sub(one.began) >= late || one.outcome == policy.Silent):
			s.handshakes++
			s.lost++
		}
		switch {
		case !one.ended:
			continue
		case one.answered:
			s.tries++
			continue
		case one.outcome != policy.None && one.outcome != policy.Local:
			s.tries++
			s.failures++
		}
		if one.outcome == policy.None {
			if s.err == nil {
				s.err = one.err
			}
			continue
		}
		key := [2]uint8{uint8(one.outcome), uint8(one.phase)}
		counts[key]++
		if one.outcome == policy.Denied || one.outcome == policy.Garbage {
			// What was said tells more than that others were not answered.
			counts[key] += len(t.made)
		}
		if n := counts[key]; n >= most {
			most, s.outcome, s.phase, s.err = n, one.outcome, one.phase, one.err
		}
	}
	return s
}

// greet makes tries until one is answered, and gives up the others.
func (p *Prober) greet(ctx context.Context, s policy.Spec) (*upstream.Session, error) {
	t := p.knock(ctx, s, p.tries(policy.Look{}), 0)
	session := t.first()
	sum := t.end()
	switch {
	case session != nil:
		return session, nil
	case sum.err != nil:
		return nil, sum.err
	}
	return nil, context.Cause(ctx)
}

// within calls f with a time limit.
func within[T any](ctx context.Context, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, max(limit, 1))
	defer cancel()
	return f(ctx)
}
