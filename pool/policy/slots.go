package policy

import (
	"net/netip"
	"time"
)

func (g *Group) freeSlot() int {
	for s, i := range g.slots {
		if i < 0 {
			return s
		}
	}
	return -1
}

// serve puts endpoint i into a slot.
func (g *Group) serve(i, slot int, now time.Time, v Verdict, why string) {
	g.move(i, Needed, now, v, None, why)
	r := &g.records[i]
	g.slots[slot] = i
	r.Slot = slot
	r.Exposed = true
	r.doubt, r.failures = time.Time{}, 0
	g.examineAt(i, now, Carry)
}

// fill gives every free slot to the best reserve.
func (g *Group) fill(now time.Time) {
	for g.freeSlot() >= 0 {
		i := g.best()
		if i < 0 {
			return
		}
		g.serve(i, g.freeSlot(), now, Unknown, "taken from the reserve")
	}
}

// best is the reserve to use next: in a neighbourhood and of a provider that
// serve as little as possible now and have lost nothing, so that one listed
// prefix takes as few endpoints as possible; one that is exposed already before
// a fresh one; then by lot. It is -1 if there is none.
func (g *Group) best() int {
	lost := make(map[netip.Prefix]float64)
	used := make(map[netip.Prefix]float64)
	providers := make(map[string]float64)
	for i := range g.records {
		r := &g.records[i]
		switch {
		case r.State == Dead || r.State == Suspect:
			if r.Verdict != Misconfigured && r.Verdict != NoEgress {
				lost[r.prefix]++
			}
		case r.State == Active:
			used[r.prefix]++
			providers[r.provider]++
		}
	}
	best, least := -1, 0.
	for i := range g.records {
		r := &g.records[i]
		if r.State != Reserve || r.examining {
			continue
		}
		cost := 3*lost[r.prefix] + 2*used[r.prefix] + providers[r.provider] + .5*unit(g.draw())
		if !r.Exposed {
			cost++
		}
		if r.doubtful() {
			cost += 3 // a canary that was silent
		}
		if best < 0 || cost < least {
			best, least = i, cost
		}
	}
	return best
}
