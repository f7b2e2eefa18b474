package policy

import (
	"fmt"
	"time"
)

// carried judges what came of a transfer after an answered greeting.
func (g *Group) carried(i int, x Examination) {
	r := &g.records[i]
	compared := r.compare
	r.compare, r.larger = false, false
	c := Conclude(x)
	switch {
	case c.Verdict != Alive && (c.Verdict != Unknown || c.Cause == Closed):
		g.carriedBadly(i, x, c)
		return
	case x.slow() && (x.Usual == 0 && !compared || r.broken > 0 && r.looks < patientLooks) && g.other(i) >= 0:
		// Is it the path, or our own line? Where it was the path at the last look, a
		// comparison that fails does not clear it.
		r.compare = true
		g.lookAgain(i, x.At, Carry)
		return
	}
	r.carried, r.broken = x.At, 0
	if compared {
		r.trickles.begin(x.At, g.limits.MuteMin, g.limits.MuteMax)
	}
	if x.Down.Outcome == Answered || x.Up.Outcome == Answered {
		r.proved = x.At
	}
	switch {
	case r.State != Suspect || !r.transfer:
		g.passed(i, x)
	case r.refusals >= enoughRefusals && x.Egress != Answered,
		x.Down.Outcome == None && x.Up.Outcome == None && r.stops.n > 0:
		g.judgeByTraffic(i, x.At)
	case r.stops.beyond(x.Size) && r.looks < patientLooks: // a look may be cut short of it by its budget
		r.larger = true
		g.lookAgain(i, x.At, Carry)
	case g.damned(i, x.At):
		g.judgeByTraffic(i, x.At)
	case r.stops.damning(x.At):
		g.hold(i, x.At)
	default:
		g.passed(i, x)
	}
}

// passed lets an endpoint go on after an examination without complaint.
func (g *Group) passed(i int, x Examination) {
	r := &g.records[i]
	c := Conclude(x)
	if c.Verdict != Alive {
		c.Verdict = Alive // slow, as all are
	}
	switch r.State {
	case Suspect:
		if r.transfer {
			g.quiesce(i, x.At)
		}
		g.clear(i, x.At, c)
	case Probation:
		g.learnWindow(i, x.At)
		g.pass(i, x.At, c)
	case Active:
		r.stops.n, r.looks = 0, 0
		if x.Egress == Answered {
			r.refusals = 0 // else nothing was seen of its way out
		}
		if r.Verdict != Alive {
			r.conclude(c)
			g.tell(i, Active)
		}
	default: // nothing was in question
	}
}

// quiesce has lulls raise no suspicion against i for a while, after one that was
// a false alarm.
func (g *Group) quiesce(i int, now time.Time) {
	g.records[i].lulls.begin(now, g.limits.MuteMin, g.limits.MuteMax)
}

// fewestStops is how many flows must have stopped, those of examinations and of
// clients together, for a verdict that rests on that. A flow on a path that loses
// a fifth of its packets is silent for 1.5 s once in some hundred transfers.
const fewestStops = 5

// carriedBadly answers a transfer that went wrong. It is made again, until there
// are as many independent failures as a verdict takes; after a silence one more
// greeting then has to show that the path and the process are there, and only the
// flow is not.
func (g *Group) carriedBadly(i int, x Examination, c Conclusion) {
	r := &g.records[i]
	if r.State == Active && c.Verdict == NoEgress && x.Down.Outcome == Answered && r.broken == 0 {
		// One greeting through it that got lost somewhere is no reason for doubt.
		r.broken++
		r.closely = true
		g.lookAgain(i, x.At, Carry)
		return
	}
	switch r.State {
	case Active:
		g.move(i, Doubted, x.At, Conclusion{Cause: c.Cause, Why: c.Why})
	case Suspect, Probation:
	default:
		return // the dead are judged in retested, the others are not in use
	}
	r.transfer = true
	enough := max(Enough(x.Loss), fewestStops)
	r.stops.seen(x)
	if _, bad := concludeEgress(x); bad {
		r.broken++
	}
	if x.Down.Outcome == Refused {
		r.broken++
	}
	if x.Down.Outcome == Closed && x.Down.Bytes == 0 {
		r.broken += max(x.Down.Stopped, 1)
	}
	sure := false
	if c.Cause == Stalled {
		enough = fewestStops // loss alone makes no flow as silent as that
	}
	switch {
	case c.Cause == Stalled || c.Verdict == NoEgress && x.Down.Outcome == Silent:
		sure = r.stops.n >= enough || c.Verdict == NoEgress && r.stops.n+r.broken >= enough
		if sure && r.State == Suspect {
			r.confirm, r.held = c.Cause, false
			g.confirm(i, x.At)
			return
		}
	case c.Verdict == NoEgress:
		sure = r.broken+r.refusals >= enough
		if c.Cause == Refused {
			sure = r.broken+r.refusals >= enoughRefusals // which are answers, and never lost
		}
	default:
		// Thrice reset, or slow beside others, is no chance; where others are many
		// times as fast, twice. Once never is: one gap in the line makes all flows of a
		// look slow together.
		r.broken++
		if c.Cause == Slowed && max(x.excess(x.Down), x.excess(x.Up)) >= 4*comparedTo {
			r.broken++
		}
		sure = r.broken >= 3
		r.compare = c.Cause == Slowed
	}
	if sure {
		g.condemn(i, x.At, c)
		return
	}
	r.confirm = None
	g.lookAgain(i, x.At, Carry)
}

// confirm has i greeted once more, and no more than that: evidence that has
// come in meanwhile may have asked for a deeper look, which would take longer
// and tell nothing new.
func (g *Group) confirm(i int, now time.Time) {
	g.touch(i)
	r := &g.records[i]
	r.examine, r.depth, r.routine = now, Greet, false
}

// confirmed condemns what has answered one more greeting.
func (g *Group) confirmed(i int, cause Outcome, now time.Time) {
	r := &g.records[i]
	if cause == Silent {
		g.condemn(i, now, Conclusion{NoEgress, Silent, .8, "answers the greeting, and carries nothing"})
		return
	}
	if r.held && !g.damned(i, now) {
		// It was the name of a destination, as it turns out.
		r.confirm, r.held, r.stops.n = None, false, 0
		g.quiesce(i, now)
		g.clear(i, now, Conclusion{Alive, None, .9, "flows to one destination stop, here and elsewhere"})
		return
	}
	g.condemn(i, now, Conclusion{Frozen, Stalled, .98, r.stops.String() + ", while greetings are answered"})
}

// patientLooks is how many looks that were not enough are made before one that
// cannot tell counts as one without complaint.
const patientLooks = 6

// enoughRefusals is how many requests in a row, which others then granted, put an
// endpoint's own egress in question.
const enoughRefusals = 3

// stallPersists is how long flows must have stopped for a verdict that rests on
// nothing else. On a host that is short of processors whole seconds are no
// rarity in a healthy stream, but they end.
const stallPersists = 2 * time.Second

// judgeByTraffic decides by what streams showed, where no probe target can.
func (g *Group) judgeByTraffic(i int, now time.Time) {
	r := &g.records[i]
	switch {
	case r.refusals >= enoughRefusals:
		g.condemn(i, now, Conclusion{NoEgress, Refused, .9, fmt.Sprintf("refused %d requests in a row that others granted", r.refusals)})
	case r.stops.n >= 2 && r.Cause == Stalled && now.Sub(r.Since) < stallPersists:
		// Two lulls may still be lulls: what is frozen stays so.
		g.examineAt(i, r.Since.Add(stallPersists), Carry)
	case r.stops.n >= 2 && (r.Cause == Stalled || r.stops.damning(now)):
		g.condemn(i, now, Conclusion{Frozen, Stalled, .8, r.stops.String()})
	case r.stops.n >= 2:
		g.condemn(i, now, Conclusion{Unknown, r.Cause, 0, fmt.Sprintf("%d streams ended before a byte that arrived through others", r.stops.n)})
	default:
		stops := r.stops.n
		g.clear(i, now, Conclusion{Alive, None, .7, "one lull in one stream, and greetings are answered"})
		r.stops.n = stops // the next lull is the second
	}
}
