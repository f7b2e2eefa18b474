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

// When the first few canaries were silent, it is taken to be our own network, and
// yet more are asked: if they were blocked after all, the rest of the reserve
// must not lie idle for ever, and if not, few addresses are to be exposed for
// nothing. The pause after the first few is half as long again as those between
// them, and each further one five times as long as the one before, up to
// Limits.RetestMax. With the defaults canaries are asked 1, 3 and 5 s into the
// silence, then after 8 s, 23 s, 98 s, 473 s.
//
// The fourth comes that soon because many programs give up after 10 s: a canary
// that answers then is in time for requests of the first moment, even for those
// that can move only with the verdict, a second later. The others come late
// because our own outages end by themselves, and blocks do not. One of less than
// 8 s, as most are, exposes no more than the first three, one of 10 min seven.
// Two canaries at a time, or one each second, would expose more in just those
// short outages; whoever wants to be quicker gives the pool a control.
const lateGrowth = 5

// outage is the question of us or them. It arises when every endpoint in use is
// in doubt and none has answered for Limits.Quiet. The controls have been asked
// by then, if there are any ([Group.consult]); if one answers, it is they. Else
// reserve endpoints are asked, one at a time: if one answers, the endpoints in
// use are to blame; if none does, it is our own network, and nobody is judged
// until it returns.
type outage struct {
	stage    stage
	began    time.Time
	next     time.Time // when the next canary or the next look is due
	canaries int
	late     time.Time     // when one more canary may be asked beyond the limit
	pause    time.Duration // until the one after that
	turn     int
	ended    time.Time // silence after questions asked before then proves nothing

	asked time.Time // when controls were last asked
	sweep time.Time // when they were asked together with all that are in doubt
	up    bool      // one of them answered that
	again bool      // one answered, but not all in doubt were asked: ask together
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
	if all {
		if next, wait := g.consult(since, now); wait {
			return next
		}
	}
	if o.stage == calm {
		if !all {
			return time.Time{}
		}
		if begin := since.Add(g.limits.Quiet); now.Before(begin) {
			return begin
		}
		*o = outage{stage: asking, began: now, next: now, ended: o.ended, turn: o.turn, asked: o.asked, sweep: o.sweep}
	}
	if now.Before(o.next) {
		return o.next
	}
	// A canary may turn up late: a fresh endpoint, added during the outage.
	late := o.stage == ours && !now.Before(o.late)
	if c := g.canary(late, now); c >= 0 && (o.canaries < g.limits.Canaries || late) {
		o.canaries++
		if late {
			o.pause = min(lateGrowth*o.pause, g.limits.RetestMax)
			o.late = now.Add(o.pause)
		}
		o.next = now.Add(g.limits.CanaryEvery)
		g.touch(c)
		r := &g.records[c]
		r.Exposed, r.examining, r.begun = true, true, now
		g.actions = append(g.actions,
			Action{Kind: Canary, Endpoint: c},
			Action{Kind: Examine, Endpoint: c, Depth: Greet})
		return o.next
	}
	if o.stage == asking {
		o.stage = ours
		o.pause = min(g.limits.CanaryEvery*3/2, g.limits.RetestMax)
		o.late = now.Add(o.pause - g.limits.CanaryEvery) // the last canary was that long ago
		g.actions = append(g.actions, Action{Kind: OutageBegan, Endpoint: -1, Why: g.portal()})
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

// portal says what it looks like if those that are in doubt do answer, but not as
// endpoints do; it is empty if not.
func (g *Group) portal() string {
	for _, i := range g.slots {
		if i >= 0 && (g.records[i].Cause == Garbage || g.records[i].Cause == Closed) {
			return "every answer comes from something that is no SOCKS5 proxy: a captive portal, or addresses of something else"
		}
	}
	return ""
}

// canary picks a reserve that was not asked in this outage, where least is
// believed to be burning, and of a provider that has as few of the silent
// endpoints as possible, earlier canaries included, so that one listed prefix
// does not swallow them all; if again is set and all were asked, one of those.
// It is -1 if there is none.
func (g *Group) canary(again bool, now time.Time) int {
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
		same += float64(2*providers[r.provider] + prefixes[r.prefix])
		n := float64(4 * len(g.records)) // more than that can be
		same += n * float64(g.alarm(i, now))
		if asked {
			same += n * float64(burnt+1) // after any other
		}
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
		g.replaceSilent(i, now, "answered while every other endpoint was silent",
			"silent while a canary answered, which has its slot now")
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
		r.examining, r.begun = false, now
	}
	g.examineAt(j, now, Greet)
}

// endOutage goes back to normal; i is who answered, -1 for nobody.
func (g *Group) endOutage(i int, now time.Time) {
	if g.out.stage == ours {
		g.actions = append(g.actions, Action{Kind: OutageEnded, Endpoint: i})
	}
	g.out.stage, g.out.up, g.out.again = calm, false, false
	g.out.ended = later(g.out.ended, now)
}

// replaceSilent puts a reserve into a free slot, or else into that of the
// endpoint that has been silent longest, each of them for a reason. It is false
// if there is neither.
func (g *Group) replaceSilent(heir int, now time.Time, because, why string) bool {
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
		if g.records[worst].State == Active {
			g.move(worst, Doubted, now, Conclusion{Cause: Silent, Why: why})
		} else {
			g.actions = append(g.actions, Action{Kind: Transition, Endpoint: worst, From: Suspect, To: Suspect, Cause: Silent, Why: why})
		}
	}
	if slot >= 0 {
		g.serve(heir, slot, now, Conclusion{Why: because})
	}
	return slot >= 0
}
