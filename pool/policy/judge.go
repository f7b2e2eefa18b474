package policy

import (
	"fmt"
	"time"
)

// Control is the examination of another endpoint, begun at the same instant as
// that of a suspect, to show whether our own network worked at that moment. Its
// Endpoint is [Outside] for a control that is none; of its Examination only
// Greeting counts, Answered if its TCP handshake was completed.
type Control struct {
	Endpoint    int
	Examination Examination
}

// Examined takes the results of an Examine action. Silence, or a rejection,
// condemns only if a control that was asked at the same instant answered (the
// witness rule, [Outcome.NeedsWitness]); a reset or wrong bytes are themselves
// an answer.
func (g *Group) Examined(i int, x Examination, controls []Control) {
	g.touch(i)
	r := &g.records[i]
	superseded := x.Asked.Before(r.begun)
	if !superseded {
		r.examining = false
	}
	r.Exposed = true
	if x.RTT > 0 {
		r.rtt = x.RTT
	}
	witnessed := g.out.up && x.Asked.Equal(g.out.sweep) // begun just before the controls were asked
	for _, c := range controls {
		switch {
		case c.Endpoint == Outside:
			witnessed = witnessed || c.Examination.Greeting == Answered
		case c.Examination.Greeting == Answered:
			witnessed = true
			g.answered(c.Endpoint, c.Examination.Asked, c.Examination.At)
		case x.Greeting.NeedsWitness() && c.Examination.Greeting.NeedsWitness():
			g.Observe(c.Endpoint, Evidence{Phase: c.Examination.Phase, Outcome: c.Examination.Greeting, Asked: c.Examination.Asked, At: c.Examination.At})
		}
	}
	if r.State == Retired || superseded && x.Greeting != Answered {
		return
	}
	switch x.Greeting {
	case None:
		g.unexaminable(i, x.At)
	case Local:
		if r.State != Reserve {
			g.examineAt(i, x.At.Add(time.Second), x.Depth)
		}
	case Answered:
		g.greeted(i, x)
	case Silent, Rejected:
		if witnessed && !x.Asked.Before(g.out.ended) {
			g.failed(i, x)
		} else {
			g.unwitnessed(i, x)
		}
	default:
		g.failed(i, x)
	}
}

// unexaminable decides where no examination is to be had, by traffic alone. That
// can come only to those that serve, so that whoever is kept from it gets
// another chance after a while.
func (g *Group) unexaminable(i int, now time.Time) {
	r := &g.records[i]
	pause := g.limits.MuteMin
	switch r.State {
	case Suspect:
		if r.transfer {
			g.judgeByTraffic(i, now)
			return
		}
		if now.Sub(r.Since) >= pause {
			g.clear(i, now, Unknown, "not examined, and given another chance")
			return
		}
	case Dead:
		if pause = g.limits.RetestMax; now.Sub(r.Since) >= pause {
			g.move(i, Returned, now, Unknown, None, "not examined, and given another chance")
			pause = 0
		}
	case Probation:
		g.pass(i, now, Unknown, "not examined, and given another chance")
		return
	default:
		return
	}
	g.examineAt(i, later(now, r.Since.Add(pause)), Carry)
}

// greeted goes on from an answered greeting.
func (g *Group) greeted(i int, x Examination) {
	confirm := g.records[i].confirm
	reserve := g.records[i].State == Reserve
	dead := g.records[i].State == Dead
	g.answered(i, x.Asked, x.At)
	r := &g.records[i]
	switch {
	case reserve:
		// A canary: answered has put it to use.
	case confirm != None && r.State == Suspect && x.Down.Outcome != Answered:
		g.condemnTransfer(i, confirm, x.At)
	case dead:
		g.retested(i, x)
	case x.Depth == Greet:
		if r.State == Suspect || r.State == Probation {
			g.examineAt(i, x.At, Carry)
		}
	default:
		g.carried(i, x)
	}
}

// carried judges a transfer after an answered greeting.
func (g *Group) carried(i int, x Examination) {
	r := &g.records[i]
	switch x.Down.Outcome {
	case Answered:
		r.carried = x.At
		g.passed(i, x)
	case None:
		r.carried = x.At // nothing to learn here until the next time
		if r.State == Suspect && r.transfer {
			g.judgeByTraffic(i, x.At)
			return
		}
		g.passed(i, x)
	default:
		g.carriedBadly(i, x)
	}
}

// passed lets an endpoint go on after an examination without complaint.
func (g *Group) passed(i int, x Examination) {
	r := &g.records[i]
	_, why := Conclude(x)
	switch r.State {
	case Suspect:
		if r.transfer {
			g.quiesce(i, x.At)
		}
		g.clear(i, x.At, Alive, why)
	case Probation:
		g.pass(i, x.At, Alive, why)
	case Active:
		r.stalls, r.refusals = 0, 0
		if r.Verdict != Alive {
			r.Verdict, r.Why = Alive, why
			g.actions = append(g.actions, Action{Kind: Transition, Endpoint: i, From: Active, To: Active, Verdict: Alive, Why: why})
		}
	default: // nothing was in question
	}
}

// quiesce has lulls raise no suspicion against i for a while, after one that was
// a false alarm.
func (g *Group) quiesce(i int, now time.Time) {
	r := &g.records[i]
	if now.Sub(r.mute) > g.limits.MuteMax {
		r.muteFor = 0 // the last false alarm was long ago
	}
	r.muteFor = min(max(2*r.muteFor, g.limits.MuteMin), g.limits.MuteMax)
	r.mute = now.Add(r.muteFor)
}

// clear dispels the doubt about a suspect. If its slot has been given away, it
// goes back to the reserve.
func (g *Group) clear(i int, now time.Time, v Verdict, why string) {
	e := Cleared
	if !g.records[i].inSlot() {
		e = Benched
	}
	g.move(i, e, now, v, None, why)
}

// pass ends a probation well.
func (g *Group) pass(i int, now time.Time, v Verdict, why string) {
	if slot := g.freeSlot(); slot >= 0 {
		g.serve(i, slot, now, v, why)
	} else {
		g.move(i, Benched, now, v, None, why)
	}
}

// carriedBadly answers a transfer that went wrong: it is confirmed first. For a
// stall that takes one more greeting, which shows that the path and the process
// are there and only the flow is not; for anything else one more transfer.
func (g *Group) carriedBadly(i int, x Examination) {
	r := &g.records[i]
	v, why := Conclude(x)
	switch r.State {
	case Probation:
		r.transfer = true
		g.condemn(i, x.At, v, x.Down.Outcome, why)
	case Active:
		g.move(i, Doubted, x.At, Unknown, x.Down.Outcome, why)
		r.transfer = true
		r.stalledAt = x.Down.Bytes
		if x.Down.Outcome == Stalled {
			r.confirm = Stalled
			g.confirmStall(i, x.At)
		} else {
			g.examineAt(i, x.At, Carry)
		}
	case Suspect:
		r.transfer = true
		if x.Down.Outcome == Stalled || x.Down.Outcome == Silent {
			r.confirm, r.stalledAt = x.Down.Outcome, x.Down.Bytes
			g.confirmStall(i, x.At)
			return
		}
		g.condemn(i, x.At, v, x.Down.Outcome, why)
	default: // the dead are judged in retested, the others are not in use
	}
}

// confirmStall has i greeted once more, and no more than that: evidence that has
// come in meanwhile may have asked for a deeper look, which would take longer
// and tell nothing new.
func (g *Group) confirmStall(i int, now time.Time) {
	g.touch(i)
	r := &g.records[i]
	r.examine, r.depth, r.routine = now, Greet, false
}

func (g *Group) condemnTransfer(i int, cause Outcome, now time.Time) {
	if cause == Silent {
		g.condemn(i, now, NoEgress, Silent, "answers the greeting, and carries nothing")
		return
	}
	g.condemn(i, now, Frozen, Stalled, fmt.Sprintf("flows stop after %d KiB, while greetings are answered", g.records[i].stalledAt>>10))
}

// stallPersists is how long flows must have stopped for a verdict that rests on
// nothing else. On a host that is short of processors whole seconds are no
// rarity in a healthy stream, but they end.
const stallPersists = 2 * time.Second

// judgeByTraffic decides without a probe target, by what streams showed.
func (g *Group) judgeByTraffic(i int, now time.Time) {
	r := &g.records[i]
	switch {
	case r.refusals >= 3:
		g.condemn(i, now, NoEgress, Refused, fmt.Sprintf("refused %d requests in a row that others granted", r.refusals))
	case r.stalls >= 2 && r.Cause == Stalled && now.Sub(r.Since) < stallPersists:
		// Two lulls may still be lulls: what is frozen stays so.
		g.examineAt(i, r.Since.Add(stallPersists), Carry)
	case r.stalls >= 2 && r.Cause == Stalled:
		g.condemn(i, now, Frozen, Stalled, fmt.Sprintf("%d streams stopped in mid-flow, the last after %d KiB", r.stalls, r.stalledAt>>10))
	case r.stalls >= 2:
		g.condemn(i, now, Unknown, r.Cause, fmt.Sprintf("%d streams ended before a byte that arrived through others", r.stalls))
	default:
		stalls := r.stalls
		g.clear(i, now, Alive, "one lull in one stream, and greetings are answered")
		r.stalls = stalls // the next lull is the second
	}
}

// failed takes an examination that shows that the endpoint does not answer.
func (g *Group) failed(i int, x Examination) {
	r := &g.records[i]
	v, why := Conclude(x)
	switch r.State {
	case Active:
		sure := r.failures > 0
		g.move(i, Doubted, x.At, Unknown, x.Greeting, why)
		r.doubt, r.failures = x.Asked, r.failures+1
		if sure {
			g.condemn(i, x.At, v, x.Greeting, why)
		} else {
			g.examineAt(i, x.At, Greet)
		}
	case Suspect, Probation, Reserve:
		r.transfer = false
		g.condemn(i, x.At, v, x.Greeting, why)
	case Dead:
		g.postpone(i, x.At)
	default: // retired
	}
}
