package policy

import "time"

type stage uint8

const (
	calm stage = iota
	// asking: nobody answers, canaries are being asked.
	asking
	// ours: the canaries were silent too.
	ours
)

// outage is the question of us or them. It arises when every endpoint in use is
// in doubt and none has answered for Limits.Quiet. Then reserve endpoints are
// asked, one at a time: if one answers, the endpoints in use are to blame; if
// none does, it is our own network, and nobody is judged until it returns.
type outage struct {
	stage    stage
	began    time.Time
	next     time.Time // when the next canary or the next look is due
	canaries int
	turn     int
	ended    time.Time // silence about questions asked before then proves nothing
}

// quiet says whether every endpoint in use is in doubt, and since when nobody
// has answered.
func (g *Group) quiet() (since time.Time, all bool) {
	for _, i := range g.slots {
		if i < 0 {
			continue
		}
		if g.records[i].doubt.IsZero() {
			return time.Time{}, false
		}
		all = true
		since = later(since, g.records[i].seen)
	}
	return later(since, g.answer), all
}

// advanceOutage does what is due about an outage and says when to come back.
func (g *Group) advanceOutage(now time.Time) time.Time {
	o := &g.out
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
	if o.stage == asking {
		if c := g.canary(); c >= 0 && o.canaries < g.limits.Canaries {
			o.canaries++
			o.next = now.Add(g.limits.CanaryEvery)
			r := &g.records[c]
			r.Exposed, r.examining = true, true
			g.actions = append(g.actions,
				Action{Kind: Canary, Endpoint: c},
				Action{Kind: Examine, Endpoint: c, Depth: Greet})
			return o.next
		}
		o.stage = ours
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
// serves as few of the silent endpoints as possible; -1 if there is none.
func (g *Group) canary() int {
	best, least := -1, 0
	for i := range g.records {
		r := &g.records[i]
		if r.State != Reserve || r.examining || !r.doubt.Before(g.out.began) {
			continue
		}
		same := 0
		for _, j := range g.slots {
			if j >= 0 && g.records[j].provider == r.provider {
				same += 2
			}
			if j >= 0 && g.records[j].prefix == r.prefix {
				same++
			}
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
func (g *Group) heard(i int, asked, now time.Time) {
	r := &g.records[i]
	if r.State == Reserve {
		if g.out.stage == calm {
			return
		}
		g.replaceSilent(i, now)
	}
	if g.out.stage == calm {
		return
	}
	if g.out.stage == ours {
		g.actions = append(g.actions, Action{Kind: OutageEnded, Endpoint: i})
	}
	g.out.stage = calm
	g.out.ended = later(g.out.ended, asked)
	for j := range g.records {
		if g.records[j].doubtful() && g.records[j].State != Reserve {
			g.examineAt(j, now, Greet)
		}
	}
}

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
		if g.records[worst].State == Active {
			g.move(worst, Doubted, now, Unknown, Silent, "silent while a canary answered")
		}
	}
	if slot >= 0 {
		g.serve(canary, slot, now, Unknown, "answered while every other endpoint was silent")
	}
}
