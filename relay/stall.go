package relay

import (
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// The numbers of the stall watch.
const (
	// lookFast is the pause between looks while any stream was active lately,
	// lookSlow while all are quiet; lately is how long activity counts.
	lookFast, lookSlow = 125 * time.Millisecond, time.Second
	lately             = 5 * time.Second
	// A flow that has brought more than midFlow and then nothing for stallAfter,
	// while nothing was asked, has stopped in its middle.
	midFlow    = 8 << 10
	stallAfter = 500 * time.Millisecond
	// After probeAfter of silence in a flow, or firstAfter before the first
	// byte, keep-alive is set to its fast pace.
	probeAfter, firstAfter = 750 * time.Millisecond, time.Second
	fastPace               = time.Second
	calmIdle, calmInterval = 45 * time.Second, 15 * time.Second
	// The fast pace ends after settle of answered probes, or after settleAsked
	// if the client waits for an answer.
	settle, settleAsked = 10 * time.Second, time.Minute
	// A probe or segment is overdue this long plus two round trips after it
	// went out.
	overdueAfter = 500 * time.Millisecond
	// sayAgain is the pause between two reports of the same silence.
	sayAgain = time.Second
	// notDraining is how long one write to a client may take before its stream
	// is left out: the silence is the client's doing.
	notDraining = 200 * time.Millisecond
)

// gaze is what the watch remembers of a stream between two looks.
type gaze struct {
	number   int // of the connection it is about
	received int64
	acked    int64

	unanswered time.Time // since when, at the latest, segments or probes wait
	overdue    bool
	saySilent  time.Time // not before

	stalled bool      // this silence has been reported
	fast    bool      // keep-alive's pace
	armed   time.Time // since when
	settled bool      // this silence has been looked into
}

// tick looks at all streams again and again, until there are none.
func (w *watch) tick() {
	timer := time.NewTimer(lookFast)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-w.hurry:
		case <-w.server.ctx.Done():
			return
		}
		pause, any := w.look(time.Now())
		if !any {
			return
		}
		timer.Reset(pause)
	}
}

// look examines every stream once and returns when to look again.
func (w *watch) look(now time.Time) (pause time.Duration, any bool) {
	w.mu.Lock()
	w.list = w.list[:0]
	for ep, streams := range w.streams {
		for t := range streams {
			w.list = append(w.list, glance{t, ep})
		}
	}
	if len(w.list) == 0 {
		w.ticking = false
		w.list = nil
		w.mu.Unlock()
		return 0, false
	}
	w.mu.Unlock()

	w.said = make(map[*pool.Endpoint]struct{})
	active := false
	for i, g := range w.list {
		if w.examine(g.stream, g.endpoint, now) < lately {
			active = true
		}
		w.list[i] = glance{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow = !active
	if active {
		return lookFast, true
	}
	return lookSlow, true
}

// examine looks at one stream and returns for how long it has been quiet.
func (w *watch) examine(t *stream, ep *pool.Endpoint, now time.Time) (quiet time.Duration) {
	t.mu.Lock()
	conn, number, flowing, half := t.conn, t.number, t.flowing, t.half
	current := conn != nil && t.endpoint == ep && !t.ended
	t.mu.Unlock()
	if !current {
		return 0
	}
	flow, ok := upstream.ReadFlow(conn)
	if !ok {
		return 0
	}
	g := &t.gaze
	if g.number != number {
		*g = gaze{number: number, received: flow.Received, acked: flow.Acked}
	}
	lastUp := t.ago(&t.lastUp, now)
	quiet = min(flow.LastRecv, lastUp)
	fresh := flow.Received > g.received
	g.received = flow.Received
	if fresh {
		g.stalled = false
	}
	if fresh || lastUp < lookSlow {
		g.settled = false
	}
	silent := w.path(t, ep, g, flow, now)
	w.pace(t, ep, g, flow, conn, quiet, flowing, fresh, lastUp < flow.LastRecv, now)
	if silent && !flowing {
		t.lose(false)
	}
	if flowing && !half && !g.stalled && flow.Received > midFlow && flow.LastRecv >= stallAfter &&
		lastUp > flow.LastRecv && !t.jammed(now) {
		g.stalled = true
		ep.Report(policy.Evidence{
			Phase: policy.Transfer, Outcome: policy.Stalled, Asked: now.Add(-flow.LastRecv), At: now, Bytes: flow.Received,
		})
	}
	return quiet
}

// jammed reports whether the client does not take what has come for it.
func (t *stream) jammed(now time.Time) bool {
	since := t.writing.Load()
	return since != 0 && now.Sub(t.began)-time.Duration(since) > notDraining
}

// path reports a path on which the kernel gets no answers, and whether it is
// silent. The question's time is when it was first seen to be open, which is
// never before it was asked.
func (w *watch) path(t *stream, ep *pool.Endpoint, g *gaze, flow policy.Flow, now time.Time) (silent bool) {
	advanced := flow.Acked > g.acked
	g.acked = flow.Acked
	waits := flow.Unacked > 0 || flow.Probes > 0
	if !waits || advanced {
		g.unanswered, g.overdue, g.saySilent = time.Time{}, false, time.Time{}
	}
	if !waits {
		return false
	}
	if g.unanswered.IsZero() {
		g.unanswered = now
	}
	silent = flow.Unacked > 0 && flow.Retransmits >= 2 || flow.Probes >= 2
	if silent {
		if _, said := w.said[ep]; !said && !now.Before(g.saySilent) {
			w.said[ep] = struct{}{}
			g.saySilent = now.Add(sayAgain)
			w.report(ep, policy.Silent, g, flow, now)
		}
		return true
	}
	if !g.overdue && (flow.Probes > 0 || flow.Retransmits > 0) && w.waited(g, flow, now) >= overdueAfter+2*flow.RTT {
		g.overdue = true
		w.report(ep, policy.Overdue, g, flow, now)
	}
	return false
}

// waited is for how long the oldest question has been open: a probe goes out one
// pace after the last segment that came in, or after the pace was set; a segment
// is timed from when it was first seen to wait.
func (w *watch) waited(g *gaze, flow policy.Flow, now time.Time) time.Duration {
	open := now.Sub(g.unanswered)
	if flow.Unacked == 0 && g.fast {
		due := min(flow.LastRecv, flow.LastAck) - fastPace
		open = max(open, min(due, now.Sub(g.armed)))
	}
	return open
}

func (w *watch) report(ep *pool.Endpoint, o policy.Outcome, g *gaze, flow policy.Flow, now time.Time) {
	ep.Report(policy.Evidence{Phase: policy.Transfer, Outcome: o, Asked: g.unanswered, At: now, Bytes: flow.Received})
}
