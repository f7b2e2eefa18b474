package policy

import (
	"net/netip"
	"slices"
	"time"
)

type stage uint8

const (
	calm stage = iota
	// asking: nobody answers, canaries are being asked.
	asking
	// ours: the canaries were silent too.
	ours
)

// lateCanary is the pause before one more canary, when the first few were silent
// and it was taken to be our own network. It doubles up to Limits.RetestMax: if
// they were blocked after all, the rest of the reserve must not lie idle for
// ever, and if not, few addresses are exposed for nothing.
const lateCanary = 5 * time.Second

// outage is the question of us or them. It arises when every endpoint in use is
// in doubt and none has answered for Limits.Quiet. Then reserve endpoints are
// asked, one at a time: if one answers, the endpoints in use are to blame; if
// none does, it is our own network, and nobody is judged until it returns.
type outage struct {
	stage    stage
	began    time.Time
	next     time.Time // when the next canary or the next look is due
	canaries int
	late     time.Time     // when one more canary may be asked beyond the limit
	pause    time.Duration // until the one after that
	turn     int
	ended    time.Time // silence after questions asked before then proves nothing
}

// quiet says whether every endpoint in use is in doubt, and since when nobody
// answers: since the last answer, or since the first question without one.
func (g *Group) quiet() (since time.Time, all bool) {
	for _, i := range g.slots {
		if i < 0 {
			continue
		}
		if g.records[i].doubt.IsZero() {
			return time.Time{}, false
		}
		all = true
		since = earlier(since, g.records[i].doubt)
	}
	return later(since, g.answer), all
}

// unused says whether no slot is held.
func (g *Group) unused() bool {
	return !slices.ContainsFunc(g.slots, func(i int) bool { return i >= 0 })
}

// advanceOutage does what is due about an outage and says when to come back.
func (g *Group) advanceOutage(now time.Time) time.Time {
	o := &g.out
	if o.stage != calm && g.unused() {
		// All that were silent have been judged by other means, or removed: what
		// is left to ask is the reserve, and it is to fill the slots anyway.
		g.endOutage(-1, now)
		g.fill(now)
	}
	since, all := g.quiet()
	if o.stage == calm {
		if !all {
			return time.Time{}
		}
		if begin := since.Add(g.limits.Quiet); now.Before(begin) {
			return begin
		}
		*o = outage{stage: asking, began: now, next: now, ended: o.ended, turn: o.turn}
	}
	if now.Before(o.next) {
		return o.next
	}
	// A canary may turn up late: a fresh endpoint, added during the outage.
	late := o.stage == ours && !now.Before(o.late)
	if c := g.canary(late); c >= 0 && (o.canaries < g.limits.Canaries || late) {
		o.canaries++
		if late {
			o.pause = min(2*o.pause, g.limits.RetestMax)
			o.late = now.Add(o.pause)
		}
		o.next = now.Add(g.limits.CanaryEvery)
		g.touch(c)
		r := &g.records[c]
		r.Exposed, r.examining = true, true
		g.actions = append(g.actions,
			Action{Kind: Canary, Endpoint: c},
			Action{Kind: Examine, Endpoint: c, Depth: Greet})
		return o.next
	}
	if o.stage == asking {
		o.stage = ours
		o.pause = min(lateCanary, g.limits.RetestMax)
		o.late = now.Add(o.pause)
		g.actions = append(g.actions, Action{Kind: OutageBegan, Endpoint: -1})
	}
	// One look a second, each time at another endpoint, so that the return of
	// the network is noticed even if no client waits for it.
	for range g.slots {
		o.turn = (o.turn + 1) % len(g.slots)
		if i := g.slots[o.turn]; i >= 0 && !g.records[i].examining {
			g.examineAt(i, now, Greet)
			break
		}
	}
	o.next = now.Add(time.Second)
	return o.next
}

// canary picks a reserve that was not asked in this outage, of a provider that
// has as few of the silent endpoints as possible, earlier canaries included, so
// that one listed prefix does not swallow them all; if again is set and all
// were asked, one of those. It is -1 if there is none.
func (g *Group) canary(again bool) int {
	prefixes, providers := make(map[netip.Prefix]int), make(map[string]int) // of silent ones
	for i := range g.records {
		r := &g.records[i]
		if r.inSlot() || r.State == Reserve && !r.doubt.Before(g.out.began) {
			prefixes[r.prefix]++
			providers[r.provider]++
		}
	}
	best, least := -1, 0.
	for i := range g.records {
		r := &g.records[i]
		asked := !r.doubt.Before(g.out.began)
		if r.State != Reserve || r.examining || asked && !again {
			continue
		}
		same := unit(g.draw()) / 2 // among equals by lot
		if asked {
			same += float64(4 * len(g.records)) // after any other
		}
		same += float64(2*providers[r.provider] + prefixes[r.prefix])
		if best < 0 || same < least {
			best, least = i, same
		}
	}
	return best
}

// heard ends an outage: somebody answered. If it was a canary, the others are
// to blame: it takes over the slot of the one that has been silent longest, and
// the rest are examined with it as their control.
func (g *Group) heard(i int, now time.Time) {
	if g.out.stage == calm {
		return
	}
	if g.records[i].State == Reserve {
		g.replaceSilent(i, now)
	}
	g.endOutage(i, now)
	for j := range g.records {
		if g.records[j].doubtful() && g.records[j].State != Reserve {
			g.examineAfresh(j, now)
		}
	}
}

// examineAfresh has j examined now, even if an examination runs: one that began
// while nobody answered can only tell that nobody answered.
func (g *Group) examineAfresh(j int, now time.Time) {
	if r := &g.records[j]; r.examining {
		r.examining, r.superseded = false, now
	}
	g.examineAt(j, now, Greet)
}

// endOutage goes back to normal; i is who answered, -1 for nobody.
func (g *Group) endOutage(i int, now time.Time) {
	if g.out.stage == ours {
		g.actions = append(g.actions, Action{Kind: OutageEnded, Endpoint: i})
	}
	g.out.stage = calm
	g.out.ended = later(g.out.ended, now)
}

// replaceSilent puts a canary that answered into a free slot, or else into that
// of the endpoint that has been silent longest.
func (g *Group) replaceSilent(canary int, now time.Time) {
	worst := -1
	for _, j := range g.slots {
		if j >= 0 && g.records[j].doubtful() && (worst < 0 || g.records[j].seen.Before(g.records[worst].seen)) {
			worst = j
		}
	}
	slot := g.freeSlot()
	if slot < 0 && worst >= 0 {
		slot = g.records[worst].Slot
		g.records[worst].Slot = -1
		const why = "silent while a canary answered, which has its slot now"
		if g.records[worst].State == Active {
			g.move(worst, Doubted, now, Unknown, Silent, why)
		} else {
			g.actions = append(g.actions, Action{Kind: Transition, Endpoint: worst, From: Suspect, To: Suspect, Cause: Silent, Why: why})
		}
	}
	if slot >= 0 {
		g.serve(canary, slot, now, Unknown, "answered while every other endpoint was silent")
	}
}
