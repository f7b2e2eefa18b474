package policy

import "time"

// Outside is the Endpoint of a [Control] that is no endpoint: one of the
// controls outside of the pool, whose answer shows that our own network works.
const Outside = -1

const (
	// controlWait is how long the controls have to answer before they count as
	// silent, and the least time between two questions to them.
	controlWait = time.Second
	// graceMin is how long the silent endpoints have to answer a question that a
	// control was asked at the same instant, before the reserve is drawn on: if
	// the network has come back just then, the control is only the quicker one.
	graceMin = 250 * time.Millisecond
	// proofLasts is for how long an answered control speaks for the network.
	proofLasts = 3 * time.Second
)

// ControlAnswered tells that a control outside of the pool has answered; asked
// is the time that was given to the Advance which had it asked. A control is
// believed at once only if every silent endpoint was asked at the same instant;
// else all of them are asked once more, together with the controls.
func (g *Group) ControlAnswered(asked time.Time) {
	switch o := &g.out; {
	case asked.Equal(o.sweep):
		o.up = true
	case o.stage != calm:
		o.again = true
	}
}

// outside says whether the controls are to be asked beside a suspect that has no
// endpoint to bear witness: at most once a second, and any number of times at
// the same instant, which is one question.
func (g *Group) outside(now time.Time) bool {
	if g.limits.Controls == 0 {
		return false
	}
	if !now.Equal(g.out.asked) && now.Sub(g.out.asked) < controlWait {
		return false
	}
	g.out.asked = now
	return true
}

// consult asks the controls when every endpoint in use is in doubt, before any
// canary is exposed, and draws on the reserve if one of them answers. since is
// when the silence began. It returns false if there is nothing to hope for from
// the controls, or when to come back.
func (g *Group) consult(since, now time.Time) (time.Time, bool) {
	o := &g.out
	if g.limits.Controls == 0 {
		return time.Time{}, false
	}
	// It is in question only once nobody has answered for Quiet.
	due := later(since.Add(g.limits.Quiet), o.sweep.Add(g.grace()))
	stale := o.sweep.Before(since) || o.up && !now.Before(due.Add(proofLasts))
	switch {
	case o.again, stale:
		if next := o.asked.Add(controlWait); now.Before(next) && !o.again {
			return next, true
		}
		o.asked, o.sweep, o.up, o.again = now, now, false, false
		g.examineTogether(now)
		return now.Add(controlWait), true
	case o.up && now.Before(due):
		return due, true
	case o.up:
		g.theirs(now)
		return due.Add(proofLasts), true
	case now.Before(o.sweep.Add(controlWait)):
		return o.sweep.Add(controlWait), true
	}
	return time.Time{}, false
}

// examineTogether has all that serve and are in doubt examined now.
func (g *Group) examineTogether(now time.Time) {
	for i := range g.records {
		if r := &g.records[i]; r.doubtful() && (r.State == Active || r.State == Suspect) {
			g.examineAfresh(i, now)
		}
	}
}

// grace is how long it takes until an endpoint would have answered if it could:
// four round trips of the nearest of those in use, as for [Examination].
func (g *Group) grace() time.Duration {
	var rtt time.Duration
	for _, i := range g.slots {
		if i >= 0 && g.records[i].rtt > 0 && (rtt == 0 || g.records[i].rtt < rtt) {
			rtt = g.records[i].rtt
		}
	}
	return max(graceMin, 4*rtt)
}

// theirs draws on the reserve: a control has answered, and none of the endpoints
// in use that were asked at the same instant. As many slots as the reserve can
// fill change hands at once, since the verdicts that are about to come would
// expose no fewer, only later. Those that lose their slots stay suspect until
// their own verdict, to which the control bears witness.
func (g *Group) theirs(now time.Time) {
	o := &g.out
	if o.stage == ours {
		g.actions = append(g.actions, Action{Kind: OutageEnded, Endpoint: -1, Why: "a control answers"})
	}
	o.stage = calm
	o.ended = later(o.ended, o.sweep)
	for i := g.best(now); i >= 0; i = g.best(now) {
		if !g.replaceSilent(i, now, "taken from the reserve: a control answers, and nobody else",
			"silent while a control answered, and replaced") {
			return
		}
	}
}
