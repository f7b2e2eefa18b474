package relay

import (
	"net"
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
	// mostDozing is the longest pause between two looks at a stream that has long
	// been silent: a small part of calmIdle.
	mostDozing = 4 * time.Second
	// A flow that has brought more than midFlow and then nothing for stallAfter,
	// while nothing was asked, has stopped in its middle.
	midFlow    = 8 << 10
	stallAfter = 500 * time.Millisecond
	// A sender that pauses now and then is slow, and has stopped only after a
	// pause this many times as long as its longest.
	unlikeBefore = 4
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
	// mostSaid is how many streams of one endpoint are called silent in one look.
	// The next ones have their turn in the next.
	mostSaid = 8
	// lasting is the age at which a stream is prepared to last: with keep-alive,
	// and for outages. Most streams do not live to see it. It is before the
	// first retransmissions that could be too far apart.
	lasting = 500 * time.Millisecond
	// notDraining is how long one write to a client may take before its stream
	// is left out: the silence is the client's doing.
	notDraining = 200 * time.Millisecond
)

// gaze is what the watch remembers of a stream between two looks.
type gaze struct {
	number   int // of the connection it is about
	tuned    int // of the connection that is prepared to last
	received int64
	acked    int64

	unanswered time.Time // since when, at the latest, segments or probes wait
	overdue    bool
	silent     bool // and it has been reported that they wait in vain

	lull    time.Duration // what has come unasked for was this long in coming
	longest time.Duration // such lull that has ended
	stalled bool          // this lull has been reported
	lulled  bool          // and it has been reported that it is no more than that

	fast    bool      // keep-alive's pace
	armed   time.Time // since when
	settled bool      // this silence has been looked into

	down, up  trickle
	thin      trickle   // of what comes down
	saySlow   time.Time // not to be called slow before
	slowPause time.Duration

	rested bool      // this silence has been taken for a rest
	next   time.Time // not to be looked at before, unless something is sent
	lastUp int64     // the stream's, at the last look
}

// sight is one look at one stream.
type sight struct {
	stream        *stream
	endpoint      *pool.Endpoint
	conn          net.Conn
	number        int // of conn
	since         time.Time
	flowing, half bool
	now           time.Time
	flow          policy.Flow
	fresh         bool          // bytes have come since the last look
	lastUp        time.Duration // since bytes were sent
	quiet         time.Duration // since bytes went either way
}

// see looks at a stream; it is false if there is nothing to look at just now.
func (t *stream) see(ep *pool.Endpoint, now time.Time) (sight, bool) {
	t.mu.Lock()
	s := sight{
		stream: t, endpoint: ep, conn: t.conn, number: t.number, since: t.since,
		flowing: t.flowing, half: t.half, now: now,
	}
	current := t.conn != nil && t.endpoint == ep && !t.ended
	t.mu.Unlock()
	if !current {
		return s, false
	}
	if g := &t.gaze; g.tuned != s.number && now.Sub(s.since) >= lasting {
		g.tuned = s.number
		upstream.Tune(s.conn)
		g.calm(&s)
	}
	var ok bool
	if s.flow, ok = upstream.ReadFlow(s.conn); !ok {
		return s, false
	}
	s.lastUp = t.ago(&t.lastUp, now)
	s.quiet = min(s.flow.LastRecv, s.lastUp)
	return s, true
}

// jammed reports whether the client does not take what has come for it.
func (s *sight) jammed() bool {
	since := s.stream.writing.Load()
	return since != 0 && s.now.Sub(s.stream.began)-time.Duration(since) > notDraining
}

// stuck reports whether the stream has stopped in its middle for long enough to
// be given up, if nobody else can tell.
func (s *sight) stuck() bool {
	const hopeless = 5 * time.Second
	return s.flow.LastRecv >= hopeless && s.lastUp > s.flow.LastRecv && s.flow.Received > midFlow && !s.half && !s.jammed()
}

// report tells the pool.
func (s *sight) report(o policy.Outcome, asked time.Time) {
	switch o {
	case policy.Silent:
		s.stream.calledSilent.Store(true)
	case policy.Resumed:
		s.stream.calledSilent.Store(false)
	default:
	}
	s.stream.tell(s.endpoint, policy.Evidence{
		Outcome: o, Asked: asked, At: s.now, Bytes: s.flow.Received, Sent: s.flow.Acked,
	})
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
		pause, more := w.look(time.Now())
		if !more {
			return
		}
		timer.Reset(pause)
	}
}

// look examines every stream once. It returns when to look again, and false if
// there is none left.
func (w *watch) look(now time.Time) (pause time.Duration, more bool) {
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

	clear(w.said)
	active := false
	for i, g := range w.list {
		w.list[i] = glance{}
		if g.stream.dozes(g.endpoint, now) {
			continue
		}
		s, ok := g.stream.see(g.endpoint, now)
		if !ok {
			active = true // it moves, or is about to end
			continue
		}
		w.examine(&s)
		active = active || s.quiet < lately
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sleepy = !active
	if active {
		return lookFast, true
	}
	return lookSlow, true
}

// examine draws the conclusions from one look at a stream.
func (w *watch) examine(s *sight) {
	g := &s.stream.gaze
	if g.number != s.number {
		*g = gaze{number: s.number, tuned: g.tuned, received: s.flow.Received, acked: s.flow.Acked}
	}
	s.fresh = s.flow.Received > g.received
	g.received = s.flow.Received
	g.resume(s)
	if s.fresh || s.stream.lastUp.Load() != g.lastUp {
		g.settled, g.rested = false, false
	}
	g.pace(s)
	g.doze(s)
	w.slow(s, g)
	silent := w.silent(s, g)
	if silent && !s.flowing {
		s.stream.lose(false)
	}
	if s.endpoint.State() == policy.Dead && s.flowing && (silent || s.stuck()) {
		// Opened when nothing better was left. No verdict will come any more, so
		// its own silence is the verdict on it.
		s.stream.cut()
		return
	}
	if s.lastUp <= s.flow.LastRecv {
		g.lull = 0
		return
	}
	g.lull = s.flow.LastRecv
	stalled := g.lull >= max(stallAfter, unlikeBefore*g.longest) && s.flow.Received > midFlow
	if stalled && s.flowing && !s.half && !g.stalled && !s.jammed() {
		g.stalled = true
		s.report(policy.Stalled, s.now.Add(-s.flow.LastRecv))
	}
}

// resume takes a stall back, once the flow goes on, or its own path has answered
// a probe in the lull: then it is the sender who has no more to say just now.
func (g *gaze) resume(s *sight) {
	f := &s.flow
	// What was sent before the lull is acknowledged within a round trip.
	answered := f.Probes == 0 && f.Unacked == 0 && f.LastRecv-f.LastAck >= fastPace*3/4+f.RTT
	switch {
	case s.fresh:
		if g.stalled && !g.lulled {
			s.report(policy.Resumed, s.now)
			g.silent = false
		}
		g.longest = max(g.longest, g.lull)
		g.lull, g.stalled, g.lulled = 0, false, false
	case g.stalled && !g.lulled && answered:
		s.report(policy.Resumed, s.now)
		g.silent, g.lulled = false, true
	}
}

// doze has a silent stream rest, and looks at it less often the longer the
// silence lasts: nothing but keep-alive can show anything, and that is slow.
func (g *gaze) doze(s *sight) {
	if s.quiet >= restAfter && !g.rested && !s.jammed() {
		g.rested = true
		s.stream.rest()
	}
	g.next, g.lastUp = time.Time{}, s.stream.lastUp.Load()
	if s.quiet >= lately && !g.fast {
		g.next = s.now.Add(min(s.quiet/4, mostDozing))
	}
}

// dozes reports whether there is nothing to see: the stream has long been silent,
// has sent nothing since, and nobody doubts its endpoint.
func (t *stream) dozes(ep *pool.Endpoint, now time.Time) bool {
	g := &t.gaze
	if !now.Before(g.next) || ep.State() != policy.Active || t.lastUp.Load() != g.lastUp {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.number == g.number
}

// silent reports whether the kernel gets no answers on a path, and tells the
// pool, once for each silence; and of its end, unless it is part of a lull that
// lasts. It may be the endpoint that is silent, or the way to it, or this stream
// alone, as in a freeze: to tell that takes others. The question's time is when
// it was first seen to be open, which is never before it was asked.
func (w *watch) silent(s *sight, g *gaze) bool {
	f := &s.flow
	advanced := f.Acked > g.acked
	g.acked = f.Acked
	waits := f.Unacked > 0 || f.Probes > 0
	if !waits || advanced {
		if g.silent {
			s.report(policy.Resumed, s.now)
		}
		g.unanswered, g.overdue, g.silent = time.Time{}, false, false
	}
	if !waits {
		return false
	}
	if g.unanswered.IsZero() {
		g.unanswered = s.now
	}
	// Where a round trip takes longer than what the kernel sends again after, two
	// of them are under way before the first can have been answered.
	if (f.Unacked > 0 && f.Retransmits >= 2 || f.Probes >= 2) && g.waited(s) >= 2*f.RTT {
		if !g.silent && w.said[s.endpoint] < mostSaid {
			w.said[s.endpoint]++
			g.silent = true
			s.report(policy.Silent, g.unanswered)
		}
		return true
	}
	if !g.overdue && (f.Probes > 0 || f.Retransmits > 0) && g.waited(s) >= overdueAfter+2*f.RTT {
		g.overdue = true
		s.report(policy.Overdue, g.unanswered)
	}
	return false
}

// waited is for how long the oldest question has been open: a probe goes out one
// pace after the last segment that came in, or after the pace was set; a segment
// is timed from when it was first seen to wait.
func (g *gaze) waited(s *sight) time.Duration {
	open := s.now.Sub(g.unanswered)
	if s.flow.Unacked == 0 && g.fast {
		due := min(s.flow.LastRecv, s.flow.LastAck) - fastPace
		open = max(open, min(due, s.now.Sub(g.armed)))
	}
	return open
}
