package probe

import (
	"context"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

const (
	// viewTries is how many handshakes are made with a viewer: one for the control
	// and two for the suspect, and one that may be lost.
	viewTries = 4
	// controlSilence, or eight round trips of the viewer if they are more, is how
	// long a control may take to answer through it: as egressSilence.
	controlSilence = 2 * time.Second
)

// views are looks at one suspect through others, under way.
type views struct {
	cancel context.CancelFunc
	made   []policy.View
	wg     sync.WaitGroup
}

// lookThrough begins to look at a suspect through others. The caller has to call
// wait.
func (p *Prober) lookThrough(ctx context.Context, s policy.Spec, from []policy.Viewpoint) *views {
	ctx, cancel := context.WithCancel(ctx)
	v := &views{cancel: cancel, made: make([]policy.View, len(from))}
	for i, at := range from {
		v.wg.Go(func() {
			v.made[i] = p.view(ctx, s, at)
			if v.made[i].Sight() == policy.SeenUp {
				cancel() // nobody can see what does not run
			}
		})
	}
	return v
}

// wait is what they have seen, without those that were ended before that.
func (v *views) wait() (made []policy.View) {
	v.wg.Wait()
	v.cancel()
	for _, one := range v.made {
		if one.Control != policy.None {
			made = append(made, one)
		}
	}
	return made
}

// view looks at a suspect through another endpoint, and at the control through the
// same at the same time.
func (p *Prober) view(ctx context.Context, s policy.Spec, at policy.Viewpoint) (v policy.View) {
	v = policy.View{Through: at.Viewer.Name(), Asked: time.Now()}
	t := p.knock(ctx, at.Viewer, viewTries, 0)
	defer func() {
		t.end()
		v.At = time.Now()
	}()
	session := t.first()
	if session == nil {
		v.Control = t.end().outcome
		return v
	}
	g := &glance{p: p, suspect: s, viewer: t}
	g.ctx, g.cancel = context.WithCancel(ctx)
	defer g.cancel()
	var asking sync.WaitGroup
	second, err := t.next(ctx)
	if err != nil {
		_ = session.Close()
		v.Control = upstream.Classify(err)
		return v
	}
	v.Asked = time.Now()
	g.limit = p.floor()
	g.answered = make(chan struct{})
	asking.Go(func() { g.ask(second) })
	asking.Go(func() {
		// Once more, a moment later: what lies between the viewer and the suspect may
		// lose a packet too.
		if again, err := t.next(g.ctx); err == nil {
			g.ask(again)
		}
	})
	v.Control = g.control(session, at)
	v.Own = at.Control.Host == "" && p.standIn(at.Viewer) == reserved(0).address()
	if v.Control == policy.Answered {
		close(g.answered)
		g.saw(policy.None, 0)
	} else {
		g.cancel()
	}
	asking.Wait()
	v.Suspect, v.Reply = g.outcome, g.reply
	if v.Reply != 0 && unroutable(s, at.Control, v.Reply) {
		v.Suspect = policy.None
	}
	return v
}

// unroutable is whether a refusal may mean no more than that the viewer has no
// IPv6, or no IPv4, at all, which a control of the other family does not show.
func unroutable(suspect, control policy.Spec, reply uint8) bool {
	return upstream.Reply(reply) == upstream.NetworkUnreachable &&
		(!control.Addr.IsValid() || control.Addr.Is4() != suspect.Addr.Is4())
}

// glance is one view under way.
type glance struct {
	p       *Prober
	suspect policy.Spec
	viewer  *tries
	ctx     context.Context
	cancel  context.CancelFunc

	// answered is closed when the control has answered; limit is then how long
	// the suspect may be silent.
	answered chan struct{}
	limit    time.Duration

	mu      sync.Mutex
	outcome policy.Outcome // of the suspect
	reply   uint8
}

// control asks for the control, and says how it fared.
func (g *glance) control(session *upstream.Session, at policy.Viewpoint) policy.Outcome {
	rtt := g.viewer.rtt()
	ctx, cancel := context.WithTimeout(g.ctx, max(controlSilence, 8*rtt))
	defer cancel()
	began := time.Now()
	if at.Control.Host != "" {
		// The last round trip goes all the way.
		_, outcome, _ := reach(ctx, session, at.Control, func() { began = time.Now() })
		g.limit = max(g.limit, 4*max(rtt, time.Since(began)))
		return outcome
	}
	c, err := session.Request(ctx, g.p.standIn(at.Viewer))
	if err != nil {
		return upstream.Classify(err)
	}
	_ = c.Close()
	g.limit = max(g.limit, 4*max(rtt, time.Since(began)))
	return policy.Answered
}

// standIn is what the viewer is asked for where there is no third endpoint: a
// target that is known to work, since that shows the viewer's way out; else what
// it serves itself, unless it does not; else a target of which nothing is known.
func (p *Prober) standIn(viewer policy.Spec) string {
	now := time.Now()
	for _, t := range p.Targets {
		if p.memory.well(t, now) {
			return t.address()
		}
	}
	e := p.memory.trace(viewer.Name())
	if len(p.Targets) == 0 || e.served {
		return reserved(0).address()
	}
	return p.Targets[0].address()
}

// ask asks for the suspect and keeps what comes of it, if it is more than is known
// so far. It is silent if nothing has come within limit of each question, and not
// before the control has answered.
func (g *glance) ask(session *upstream.Session) {
	ctx, cancel := context.WithCancelCause(g.ctx)
	defer cancel(nil)
	next := make(chan struct{}, 1) // CONNECT is granted: the second question
	done := make(chan struct{})
	began := time.Now()
	go func() {
		defer close(done)
		select {
		case <-g.answered:
		case <-ctx.Done():
			return
		}
		for {
			timer := time.NewTimer(max(time.Until(began.Add(g.limit)), 1))
			select {
			case <-timer.C:
				cancel(context.DeadlineExceeded)
				return
			case <-next:
				began = time.Now()
			case <-ctx.Done():
				timer.Stop()
				return
			}
			timer.Stop()
		}
	}()
	phase, outcome, err := reach(ctx, session, g.suspect, func() { next <- struct{}{} })
	silent := context.Cause(ctx) == context.DeadlineExceeded //nolint:errorlint // it is given bare
	cancel(nil)
	<-done
	switch {
	case outcome == policy.None && silent:
		outcome = policy.Silent
	case phase == policy.Request && outcome != policy.Refused:
		outcome = policy.None // the viewer's own end
	}
	g.saw(outcome, reply(err))
}

// saw keeps the better of two outcomes. An answer of whatever kind ends the wait
// for the other: only silence can be an accident.
func (g *glance) saw(outcome policy.Outcome, reply uint8) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case outcome == policy.None:
	case g.outcome == policy.None, g.outcome == policy.Silent:
		g.outcome, g.reply = outcome, reply
	}
	if g.outcome != policy.None && g.outcome != policy.Silent {
		select {
		case <-g.answered:
			g.cancel()
		default: // the control still needs its time
		}
	}
}
