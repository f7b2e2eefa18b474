package policy

import "time"

// windows are for how long some blockers keep an address blocked after it has
// drawn their attention, each new attempt beginning the time anew: 1, 3 and 10
// min are what was reported of those at work today. Whoever retests more often
// never gets out.
var windows = [...]time.Duration{time.Minute, 3 * time.Minute, 10 * time.Minute}

// windowMargin is how much later than that a retest comes: the last attempts are
// those of dials that were under way at the verdict, whose SYNs the kernel repeats
// for some seconds.
const windowMargin = 10 * time.Second

// windowLasts is how long a window that was found is taken for the blocker's. What
// looked like one may have been a block that was lifted.
const windowLasts = time.Hour

// seldom is how many times RetestMax the longest pause is where the credentials are
// refused. Each retest sends a wrong password, and nobody but a person will make it
// right; servers count those of the last ten minutes, or of the last hour.
const seldom = 6

// condemn moves an endpoint to the dead and plans its first retest. One that has
// not served for long since it was dead goes on with the pauses from where they
// were, so that one that comes and goes is tried more and more seldom.
func (g *Group) condemn(i int, now time.Time, c Conclusion) {
	r := &g.records[i]
	if r.State != Probation && now.Sub(r.served) > g.limits.RetestMax {
		r.retest = 0
	}
	if r.State != Probation || c.Verdict != r.charge.verdict {
		r.charge = r.charged(c)
	}
	r.stops.waits = 0
	g.move(i, Condemned, now, c)
	if c.Verdict == Unknown && c.Cause.onTheWay() && len(g.sightlines(i, now)) > 0 {
		// Those through whom it was looked at may have been lost with it: now it is
		// known who has not.
		r.examine = time.Time{}
		g.examineAt(i, now, Greet)
		return
	}
	g.postpone(i, now)
}

// charge is what an endpoint was condemned for, so that a retest looks for that.
type charge struct {
	verdict Verdict
	// size, oneWay and up are those of a Look that shows it. blind is true if no
	// examination has shown it, only clients' flows.
	size              int64
	oneWay, up, blind bool
}

// charged is what is to be looked for after a conclusion, before it is drawn.
func (r *Record) charged(c Conclusion) charge {
	ch := charge{verdict: c.Verdict}
	switch c.Verdict {
	case Frozen:
		ch.size, ch.oneWay, ch.up = r.stops.look()
		ch.blind = r.held
	case Throttled:
		ch.size, ch.oneWay = slowSize, true
	default:
	}
	return ch
}

// postpone plans the next retest of a dead endpoint, later each time.
func (g *Group) postpone(i int, now time.Time) {
	r := &g.records[i]
	r.examine = time.Time{}
	switch {
	case r.Verdict.interfered():
		r.retest = g.nextWindow(r.retest, now)
		// Never earlier than planned: the attempt would start the time anew.
		jitter := time.Duration(unit(g.draw()) * .03 * float64(r.retest))
		g.examineAt(i, now.Add(r.retest+windowMargin+jitter), Carry)
	case r.Verdict == Misconfigured && r.Cause == Denied:
		r.retest = min(max(2*r.retest, g.limits.RetestMax), seldom*g.limits.RetestMax)
		g.examineAt(i, now.Add(r.retest+g.shorten(windowMargin)), Carry)
	default:
		r.retest = min(max(2*r.retest, g.limits.RetestMin), g.limits.RetestMax)
		g.examineAt(i, now.Add(g.shorten(r.retest)), Carry)
	}
}

// nextWindow is the pause after one of the given length was too short: at first
// the one that was enough for another endpoint, then the next longer one.
func (g *Group) nextWindow(last time.Duration, now time.Time) time.Duration {
	if last < g.window && now.Sub(g.windowAt) < windowLasts {
		return g.window
	}
	for _, w := range windows {
		if w > last {
			return w
		}
	}
	return max(windows[len(windows)-1], g.limits.RetestMax)
}

// learnWindow notes that i is back, after a pause that was long enough where a
// shorter one was not.
func (g *Group) learnWindow(i int, now time.Time) {
	if r := &g.records[i]; r.interfered && r.retest > windows[0] {
		g.window, g.windowAt = r.retest, now
	}
}

// retested takes the answered retest of a dead endpoint.
func (g *Group) retested(i int, x Examination) {
	r := &g.records[i]
	c := Conclude(x)
	// What stops flows is not seen where nothing was carried.
	carried := x.Down.Outcome
	if r.charge.up {
		carried = x.Up.Outcome
	}
	unseen := r.transfer && carried == None && !(r.Verdict == NoEgress && x.Egress == Answered) || r.charge.blind
	if c.Verdict != Alive || unseen && x.At.Sub(r.Since) < g.limits.RetestMax {
		if c.Verdict != Unknown && c.Verdict != Alive && c.Verdict != r.Verdict {
			r.conclude(g.learn(i, Dead, c, x.At))
			g.tell(i, Dead)
		}
		g.postpone(i, x.At)
		return
	}
	r.interfered = r.Verdict == Blocked
	g.move(i, Returned, x.At, c)
	r.examine = time.Time{}
	pause := g.limits.Probation
	if g.freeSlot() >= 0 {
		pause = 0
	}
	g.examineAt(i, x.At.Add(pause), Carry)
}
