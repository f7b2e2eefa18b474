package policy

import (
	"fmt"
	"math"
	"time"
)

// stallMemory is how long a stopped flow counts: a freeze stops one after the
// other, while single lulls, far apart, are what idle destinations look like.
const stallMemory = time.Minute

// ShortestSilence is how long a question must have been without an answer before
// that is called silence.
const ShortestSilence = time.Second

// enoughStops is how many flows must have stopped, one soon after the other, to
// keep new requests away while that is looked into.
const enoughStops = 2

// Answered tells that endpoint i has answered the greeting of a question asked
// at the given time, and that a client made use of it then.
func (g *Group) Answered(i int, asked, at time.Time) {
	g.Use(i, at)
	g.records[i].took(at.Sub(asked), at)
	g.answered(i, asked, at)
	r := &g.records[i]
	if r.State == Dead && !r.transfer && r.Since.Before(asked) {
		// Somebody had nothing better to try, and it worked. Where only a
		// transfer shows the trouble, an answered greeting proves nothing.
		g.move(i, Returned, at, Conclusion{Why: "answered a client"})
		g.examineAt(i, at, Carry)
	}
}

// Use tells that a client has a stream through endpoint i open, so that it is
// looked after as one in use.
func (g *Group) Use(i int, now time.Time) {
	r := &g.records[i]
	r.used = later(r.used, now)
	if r.routine && r.idle {
		g.touch(i) // what was planned for an idle one
	}
}

// answered takes an answer into account: doubts about questions asked before it
// are dispelled, and so is an outage that had begun before.
func (g *Group) answered(i int, asked, at time.Time) {
	g.touch(i)
	r := &g.records[i]
	r.Exposed = true
	r.answered, r.seen = later(r.answered, asked), later(r.seen, at)
	g.answer = later(g.answer, at)
	if !r.doubt.After(asked) {
		r.doubt, r.failures, r.late = time.Time{}, 0, 0
	}
	if r.stops.waits > 0 {
		g.ripen(i, asked, at)
	}
	if r.State == Suspect && !r.transfer && r.doubt.IsZero() {
		g.clear(i, at, Conclusion{Alive, None, .95, "answers again"})
	}
	g.heard(i, at)
}

// Granted tells that endpoint i has granted a client's request.
func (g *Group) Granted(i int, at time.Time) {
	g.Use(i, at)
	r := &g.records[i]
	r.refusals, r.stood = 0, [manyRefused]uint64{}
}

// Observe takes evidence of trouble. Answers go to Answered.
func (g *Group) Observe(i int, ev Evidence) {
	r := &g.records[i]
	if ev.Outcome == None || ev.Outcome == Local || ev.Outcome == Answered || r.State == Retired {
		return
	}
	g.touch(i)
	r.Exposed = true
	r.used = later(r.used, ev.At)
	// A request that is not even acknowledged tells of the path, as the first
	// phases do; any other end of it may be the destination's doing.
	path := ev.Phase < Request || ev.Phase == Request && !ev.Elsewhere && (ev.Outcome == Overdue || ev.Outcome == Silent)
	if !path {
		g.observeTransfer(i, ev)
		return
	}
	if !r.answered.Before(ev.Asked) {
		return // it has answered a later question since
	}
	if r.early(ev) {
		return // its way is that long
	}
	if r.doubt.IsZero() || ev.Asked.Before(r.doubt) {
		r.doubt = ev.Asked
	}
	if took := ev.At.Sub(ev.Asked); ev.Outcome == Silent && took >= ShortestSilence && took < 4*r.rtt {
		ev.Outcome = Overdue // its way is that long
	}
	if ev.Outcome == Overdue {
		r.late++
	} else {
		r.late = max(r.late-1, 0) // it was late before
		r.fail(ev.At)
	}
	if r.State != Active {
		return
	}
	// One late answer is looked into; the second without an answer between them, or
	// any outright failure, keeps new requests away. It takes more of them the more
	// often that was a false alarm; but a reset or wrong bytes are no accident.
	if (ev.Outcome == Overdue || ev.Outcome == Silent) && g.queued(i, ev.At) {
		g.examineAt(i, later(ev.At, r.begun.Add(tardyLasts)), Greet)
		return
	}
	enough := 0
	switch ev.Outcome {
	case Overdue:
		enough = 2 + g.noise(i, ev.At)
	case Silent:
		enough = 1 + g.noise(i, ev.At)
	default:
	}
	if r.late+r.failures >= enough {
		g.suspect(i, ev, fmt.Sprintf("%s %s", ev.Phase, ev.Outcome), false)
	}
	g.examineAt(i, ev.At, Greet)
}

func (g *Group) observeTransfer(i int, ev Evidence) {
	r := &g.records[i]
	if r.State != Active && r.State != Suspect {
		return
	}
	pathFine := r.answered.After(ev.Asked)
	switch {
	case ev.Outcome == Overdue && ev.Elsewhere:
		g.lookInto(i, ev.At) // does it reach anything?
	case ev.Outcome == Overdue:
		g.examineAt(i, ev.At, Greet)
	case ev.Outcome == Silent && ev.Phase == Transfer && pathFine:
		// The path is fine for others, and this flow is dead: so is every flow, one
		// after the other, where flows are frozen.
		if g.stopped(ev.Destination, i, ev.At) {
			g.lookInto(i, ev.At)
			return
		}
		r.stops.add(ev)
		switch {
		case r.stops.damning(ev.At):
			g.suspect(i, ev, r.stops.String(), true)
			g.hold(i, ev.At)
		case r.stops.n >= enoughStops+g.noise(i, ev.At):
			g.suspect(i, ev, r.stops.String(), true)
			g.examineAt(i, ev.At, Carry)
		default:
			g.lookInto(i, ev.At)
		}
	case ev.Outcome == Silent && ev.Phase == Transfer:
		r.stops.wait(ev)
		if r.fail(ev.At); r.failures <= g.noise(i, ev.At) || g.queued(i, ev.At) {
			g.examineAt(i, ev.At, Carry)
			r.closely = true
			return
		}
		if r.doubt.IsZero() || ev.Asked.Before(r.doubt) {
			r.doubt = ev.Asked
		}
		g.suspect(i, ev, "a stream's path is silent", false)
		// Deep at once: if the greeting is answered, a freeze after few bytes may
		// be what silenced the stream.
		g.examineAt(i, ev.At, Carry)
	case ev.Outcome == Stalled:
		if g.stopped(ev.Destination, i, ev.At) {
			g.lookInto(i, ev.At)
			return
		}
		r.stops.add(ev)
		if ev.At.Before(r.lulls.until) {
			return
		}
		if r.stops.n >= 1+g.noise(i, ev.At) {
			g.suspect(i, ev, fmt.Sprintf("a stream stopped after %d KiB", ev.Bytes>>10), true)
		}
		g.examineAt(i, ev.At, Carry)
		r.closely = true
	case ev.Outcome == Resumed:
		g.resumed(i, ev)
	case ev.Outcome == Ended:
		r.stops.leave(ev.Destination)
	case ev.Outcome == Slowed:
		// It may be the destination that is slow, or as much as the path allows.
		if ev.At.Before(r.trickles.until) || ev.Rate > 0 && r.rtt > 0 && ev.Rate >= doubtBelow*g.allowed(i, ev.At) {
			return
		}
		r.compare = true
		g.examineAt(i, ev.At, Carry)
	case ev.Outcome == Refused:
		if !ev.Elsewhere {
			// Nobody else has granted it either. One destination after the other is
			// looked into: does it reach anything?
			if r.refuses(ev.Destination) && !ev.At.Before(r.unheard.until) {
				r.unheard.begin(ev.At, g.limits.MuteMin, g.limits.MuteMax)
				g.lookInto(i, ev.At)
			}
			return
		}
		r.refusals++
		if r.refusals >= enoughRefusals {
			g.suspect(i, ev, fmt.Sprintf("refuses what others grant (reply %d)", ev.Reply), true)
			g.examineAt(i, ev.At, Carry)
		} else {
			g.lookInto(i, ev.At)
		}
	default:
		if !ev.Elsewhere {
			return // what ends after the greeting may be the destination's doing
		}
		r.stops.add(ev)
		if r.stops.n >= enoughStops+g.noise(i, ev.At) {
			g.suspect(i, ev, fmt.Sprintf("%s ends in %s that works through others", ev.Phase, ev.Outcome), true)
		}
		g.examineAt(i, ev.At, Carry)
	}
}

// manyRefused is how many destinations must have been refused, and none granted, for
// a look at whether the endpoint reaches anything.
const manyRefused = 3

// refuses notes that a refusal stands, and says whether there were many, which are
// then forgotten.
func (r *Record) refuses(destination uint64) bool {
	for n := range r.stood {
		switch {
		case r.stood[n] == destination:
			return false
		case r.stood[n] != 0:
			continue
		}
		r.stood[n] = destination
		if n < len(r.stood)-1 {
			return false
		}
		r.stood = [manyRefused]uint64{}
		return true
	}
	return false
}

// fail counts a failure that a client has met.
func (r *Record) fail(at time.Time) {
	if r.failures == 0 || at.Sub(r.failed) >= ShortestSilence {
		r.failures++
		r.failed = at
	}
}

// noise is how many signs of trouble more than usual it takes to keep requests
// away from i: as many as there were false alarms, and more where packets get
// lost, so that it does not go back and forth.
func (g *Group) noise(i int, now time.Time) int {
	const perLoss = 20 // so that at the loss of a tenth of all handshakes it is 1.4
	return int(math.Round(g.records[i].alarms.count(now) + perLoss*max(g.lossOf(i, now)-assumedLoss, 0)))
}

// ripen takes up the flows that are silent while the path is not, as an answer has
// just shown.
func (g *Group) ripen(i int, asked, now time.Time) {
	r := &g.records[i]
	before := r.stops.n
	came := now
	if early := asked.Add(4 * r.rtt); r.rtt > 0 && early.Before(now) {
		came = early // what took longer was what followed the greeting
	}
	r.stops.ripen(asked, came, now, g.out.ended, func(destination uint64) bool { return g.stopped(destination, i, now) })
	switch {
	case r.State != Active && r.State != Suspect:
	case r.stops.damning(now):
		if r.State == Active {
			g.move(i, Doubted, now, Conclusion{Cause: Stalled, Why: r.stops.String()})
		}
		r.transfer = true
		g.hold(i, now)
	case r.stops.n > before && r.State == Suspect:
		r.transfer = true
		r.Cause, r.Why = Stalled, r.stops.String()
		g.examineAt(i, now, Carry)
	}
}

// lookInto has i examined deeply, unless it has been just now: what is no reason
// for doubt need not be looked into more often than that.
func (g *Group) lookInto(i int, now time.Time) {
	const often = 10 * time.Second
	r := &g.records[i]
	g.examineAt(i, later(now, r.carried.Add(often)), Carry)
	r.closely = true
}

// resumed takes back a stall. When all are taken back, so is the doubt that they
// raised.
func (g *Group) resumed(i int, ev Evidence) {
	r := &g.records[i]
	r.life = later(r.life, ev.At)
	if !r.stops.resume(ev.Destination) {
		return
	}
	if r.State != Suspect || !r.transfer || r.Cause != Stalled || r.stops.n > 0 || r.confirm != None {
		return
	}
	g.quiesce(i, ev.At)
	g.clear(i, ev.At, Conclusion{Alive, None, .9, "the flow goes on"})
}

// suspect puts an active endpoint in doubt. With transfer, the doubt is about
// what it does to flows.
func (g *Group) suspect(i int, ev Evidence, why string, transfer bool) {
	r := &g.records[i]
	switch {
	case r.State == Active:
		g.move(i, Doubted, ev.At, Conclusion{Cause: ev.Outcome, Why: why})
	case r.State == Suspect && transfer && !r.transfer:
		r.Cause, r.Why = ev.Outcome, why // what takes more than a greeting to clear
	}
	r.transfer = r.transfer || transfer
	if r.State == Suspect && r.examining && !r.thorough {
		// A routine look is under way, which has no witness and proves nothing.
		r.examining, r.begun = false, ev.At
	}
}

// examineAt brings the next examination of i forward to at, and makes it as
// deep as asked for.
func (g *Group) examineAt(i int, at time.Time, d Depth) {
	g.touch(i)
	r := &g.records[i]
	if r.routine || r.examine.IsZero() || at.Before(r.examine) {
		r.examine = at
	}
	r.routine = false
	r.depth = max(r.depth, d)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
