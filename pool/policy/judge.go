package policy

import "time"

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
		if r.nearest == 0 || x.RTT < r.nearest {
			r.nearest = x.RTT
		}
		r.took(x.RTT, x.At)
	}
	g.learnLoss(i, &x)
	// It was begun when the controls were asked, whenever it got to ask by itself.
	witnessed := g.out.up && !superseded && r.begun.Equal(g.out.sweep)
	var slow time.Duration // the controls' way, as it is now
	for _, v := range x.Views {
		// Whoever we look through has answered us.
		witnessed = witnessed || v.Control == Answered
	}
	for _, c := range controls {
		switch {
		case c.Endpoint == Outside:
			witnessed = witnessed || c.Examination.Greeting == Answered
		case c.Examination.Greeting == Answered:
			witnessed = true
			if rtt := c.Examination.RTT; slow == 0 || rtt < slow {
				slow = rtt
			}
			g.answered(c.Endpoint, c.Examination.Asked, c.Examination.At)
		case x.Greeting.NeedsWitness() && c.Examination.Greeting.NeedsWitness():
			g.Observe(c.Endpoint, Evidence{Phase: c.Examination.Phase, Outcome: c.Examination.Greeting, Asked: c.Examination.Asked, At: c.Examination.At})
		}
	}
	if r.State == Retired || superseded && x.Greeting != Answered {
		return
	}
	switch {
	case x.Greeting == None:
		g.unexaminable(i, x.At)
	case x.Greeting == Local:
		if r.State != Reserve {
			g.examineAt(i, x.At.Add(time.Second), x.Depth)
		}
	case x.Greeting == Answered:
		g.greeted(i, x)
	case g.needsWitness(x) && !(witnessed && !x.Asked.Before(g.out.ended)) && !g.alone(i, x):
		if x.Greeting == Garbage || x.Greeting == Closed {
			g.strange = later(g.strange, x.At)
		}
		g.unwitnessed(i, x)
	case x.Greeting == Silent && x.At.Sub(x.Asked) < queuedPatience && g.queued(i, x.At):
		r.slow = queuedPatience
		if r.State == Active {
			g.examineAt(i, x.At.Add(time.Second), Greet)
			return
		}
		g.unwitnessed(i, x)
	case x.Greeting == Silent && x.At.Sub(x.Asked) < 4*slow:
		// All are slow now: a queue has filled up. It gets as much more time.
		r.slow = 4 * slow
		g.unwitnessed(i, x)
	default:
		g.failed(i, x)
	}
}

// needsWitness is [Outcome.NeedsWitness], and holds for a reset in the greeting
// where somebody answers in the place of others just now: a captive portal that
// closes with something unread.
func (g *Group) needsWitness(x Examination) bool {
	const lately = 10 * time.Second
	return x.Greeting.NeedsWitness() || x.Greeting == Reset && x.Phase == Greeting && x.At.Sub(g.strange) < lately && !g.strange.IsZero()
}

// alone says whether wrong bytes condemn i without a witness: it has never
// answered properly, and there is no other endpoint that could bear witness, so
// that a mistake in its configuration is the likelier explanation.
func (g *Group) alone(i int, x Examination) bool {
	if x.Greeting != Garbage && x.Greeting != Closed || !g.records[i].answered.IsZero() {
		return false
	}
	for j := range g.records {
		if j != i && g.records[j].State != Retired {
			return false
		}
	}
	return true
}

// failures is how many independent failures an unanswered examination is.
func (x Examination) failures() int { return max(x.Failures, 1) }

// learnLoss notes what an examination shows of the path's loss, and fills in what
// was known before.
func (g *Group) learnLoss(i int, x *Examination) {
	x.Loss = max(x.Loss, g.lossOf(i, x.Asked))
	if x.Greeting == Answered && x.Tries > 0 {
		g.records[i].loss.Note(x.Tries, x.Failures, x.At)
	}
}

// lossOf is the share of handshakes with i that fail while it is well: what was
// seen of it, and of all others as long as that is little.
func (g *Group) lossOf(i int, now time.Time) float64 {
	return g.records[i].loss.Share(now, g.usualLoss(now), 10)
}

// usualLoss is the share for those that serve together. The one that loses most is
// left out, if there are others: its way says nothing of theirs.
func (g *Group) usualLoss(now time.Time) float64 {
	const weight = 30
	var tries, failures, worstTries, worstFailures float64
	seen := 0
	for _, i := range g.slots {
		if i < 0 {
			continue
		}
		n, f := g.records[i].loss.seen(now)
		if n == 0 {
			continue
		}
		seen++
		tries, failures = tries+n, failures+f
		if f*max(worstTries, 1) >= worstFailures*n {
			worstTries, worstFailures = n, f
		}
	}
	if seen > 2 {
		tries, failures = tries-worstTries, failures-worstFailures
	}
	return (failures + weight*assumedLoss) / (tries + weight)
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
			g.clear(i, now, Conclusion{Why: "not examined, and given another chance"})
			return
		}
	case Dead:
		if pause = g.limits.RetestMax; now.Sub(r.Since) >= pause {
			g.move(i, Returned, now, Conclusion{Why: "not examined, and given another chance"})
			pause = 0
		}
	case Probation:
		g.pass(i, now, Conclusion{Why: "not examined, and given another chance"})
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
	case confirm != None && r.State == Suspect && x.Depth == Greet:
		g.confirmed(i, confirm, x.At)
	case dead:
		g.retested(i, x)
	case x.Depth == Greet:
		if r.State == Suspect || r.State == Probation {
			g.lookAgain(i, x.At, Carry)
		}
	default:
		g.carried(i, x)
	}
}

// clear dispels the doubt about a suspect. If its slot has been given away, it
// goes back to the reserve.
func (g *Group) clear(i int, now time.Time, c Conclusion) {
	e := Cleared
	if !g.records[i].inSlot() {
		e = Benched
	}
	g.records[i].alarms.add(now)
	g.move(i, e, now, c)
}

// pass ends a probation well.
func (g *Group) pass(i int, now time.Time, c Conclusion) {
	if slot := g.freeSlot(); slot >= 0 {
		g.serve(i, slot, now, c)
	} else {
		g.move(i, Benched, now, c)
	}
}

// failed takes an examination that shows that the endpoint does not answer. What
// is not enough for a verdict yet is looked at again at once.
func (g *Group) failed(i int, x Examination) {
	r := &g.records[i]
	before, alone := r.failures+min(r.late, 1), x.failures()
	failures := before + alone
	// What refuses the credentials has said so: to be told again takes a password
	// more, and whoever sends five wrong ones is banned.
	definite := x.Greeting == Denied
	enough := failures >= Enough(x.Loss) || definite || x.Tries == 0 && failures > 1
	x.Failures = failures
	c := Conclude(x)
	switch r.State {
	case Active:
		g.move(i, Doubted, x.At, Conclusion{Cause: c.Cause, Why: c.Why})
		r.doubt, r.failures, r.late = x.Asked, failures, 0
		if definite || enough && (before > 0 || x.Tries >= fewestFailures) {
			g.condemn(i, x.At, c)
		} else {
			g.lookAgain(i, x.At, Greet)
		}
	case Suspect, Probation, Reserve:
		r.transfer = false
		// Where flows have moved meanwhile the path is slow, and not silent.
		if x.Tries > 0 && !definite && (!enough || x.Greeting == Silent && x.Phase == Connect && r.life.After(x.Asked)) {
			r.failures, r.late = failures, 0
			if r.doubt.IsZero() {
				r.doubt = x.Asked
			}
			g.lookAgain(i, x.At, Greet)
			return
		}
		g.condemn(i, x.At, c)
	case Dead:
		if c.Verdict != Unknown && c.Verdict != r.Verdict && !r.transfer && (definite || alone >= Enough(x.Loss)) {
			r.conclude(g.learn(i, Dead, c, x.At))
			g.tell(i, Dead)
		}
		g.postpone(i, x.At)
	default: // retired
	}
}
