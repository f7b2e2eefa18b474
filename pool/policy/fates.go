package policy

import (
	"slices"
	"time"
)

const (
	// mostFates is of how many destinations it is remembered where flows to them
	// have stopped.
	mostFates = 64
	// widespread is at how many endpoints, of different prefixes, flows to one
	// destination must have stopped for that to be the destination's doing, or that
	// of a rule about its name.
	widespread = 3
)

// fates remembers at which endpoints flows to a destination have stopped. In plain
// SOCKS the blocker sees the names: a rule about one of them stops its flows
// through every endpoint, and is no endpoint's fault.
type fates struct {
	list []fate
}

type fate struct {
	destination uint64
	at          time.Time // when a flow to it last stopped
	endpoints   [widespread]int
	n           int
}

// stopped notes that a flow to the destination has stopped at endpoint i, and says
// whether they stop everywhere. Destination 0 is unknown.
func (g *Group) stopped(destination uint64, i int, now time.Time) bool {
	if destination == 0 {
		return false
	}
	f := g.fates.note(destination, now)
	enough := g.spread()
	for _, j := range f.endpoints[:f.n] {
		if j == i || g.records[j].prefix == g.records[i].prefix && g.records[i].prefix.IsValid() {
			return f.n >= enough
		}
	}
	if f.n < widespread {
		f.endpoints[f.n] = i
		f.n++
	}
	return f.n >= enough
}

// spread is at how many endpoints flows to one destination must stop for that to
// be no endpoint's doing: widespread, or as many prefixes as there are in use, but
// two at least.
func (g *Group) spread() int {
	var known [widespread]int
	n := 0
	for _, i := range g.slots {
		if i < 0 || n == widespread {
			continue
		}
		if !slices.ContainsFunc(known[:n], func(j int) bool {
			return g.records[j].prefix == g.records[i].prefix && g.records[i].prefix.IsValid()
		}) {
			known[n] = i
			n++
		}
	}
	return max(n, 2)
}

// note is the fate of a destination to which a flow has just stopped; a new one may
// take the place of the oldest.
func (f *fates) note(destination uint64, now time.Time) *fate {
	oldest := 0
	for n := range f.list {
		t := &f.list[n]
		if t.destination == destination {
			if now.Sub(t.at) > deadMemory {
				t.n = 0
			}
			t.at = now
			return t
		}
		if t.at.Before(f.list[oldest].at) {
			oldest = n
		}
	}
	if len(f.list) < mostFates {
		f.list = append(f.list, fate{})
		oldest = len(f.list) - 1
	}
	f.list[oldest] = fate{destination: destination, at: now}
	return &f.list[oldest]
}

// places is at how many endpoints, of different prefixes, flows to a destination
// have stopped within deadMemory.
func (f *fates) places(destination uint64, now time.Time) int {
	for n := range f.list {
		if f.list[n].destination == destination && now.Sub(f.list[n].at) <= deadMemory {
			return f.list[n].n
		}
	}
	return 0
}

// holdFor is how long it is waited where flows to a single destination stop at one
// endpoint, until it shows if they do so at others, which are to carry them now.
const holdFor = 5 * time.Second

// damned says whether the flows of clients alone condemn i: those to several
// destinations do, those to one only if they stop nowhere else.
func (g *Group) damned(i int, now time.Time) bool {
	r := &g.records[i]
	if !r.stops.damning(now) {
		return false
	}
	_, only := r.stops.dead(now)
	if only == 0 {
		return true
	}
	return now.Sub(r.Since) >= holdFor && r.State == Suspect && g.fates.places(only, now) < 2
}

// hold has a suspect wait for its verdict by the flows of clients: one greeting, to
// show that it is them and not the path, at once if they are to several
// destinations, else when it is known if they stop elsewhere.
func (g *Group) hold(i int, now time.Time) {
	r := &g.records[i]
	r.confirm, r.held = Stalled, true
	at := now
	if !g.damned(i, now) {
		at = later(now, r.Since.Add(holdFor))
	}
	g.confirm(i, at)
}
