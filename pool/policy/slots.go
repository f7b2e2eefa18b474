package policy

import "time"

func (g *Group) freeSlot() int {
	for s, i := range g.slots {
		if i < 0 {
			return s
		}
	}
	return -1
}

// serve puts endpoint i into a slot.
func (g *Group) serve(i, slot int, now time.Time, c Conclusion) {
	g.move(i, Needed, now, c)
	r := &g.records[i]
	g.slots[slot] = i
	r.Slot, r.served = slot, now
	r.Exposed = true
	r.doubt, r.failures, r.late = time.Time{}, 0, 0
	g.examineAt(i, now, Carry)
}

// fill gives every free slot to the best reserve.
func (g *Group) fill(now time.Time) {
	for g.freeSlot() >= 0 {
		i := g.best(now)
		if i < 0 {
			return
		}
		g.serve(i, g.freeSlot(), now, Conclusion{Why: "taken from the reserve"})
	}
}
