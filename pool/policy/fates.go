package policy

import "time"

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
	f := g.fates.find(destination, now)
	f.at = now
	for _, j := range f.endpoints[:f.n] {
		if j == i || g.records[j].prefix == g.records[i].prefix && g.records[i].prefix.IsValid() {
			return f.n == widespread
		}
	}
	if f.n < widespread {
		f.endpoints[f.n] = i
		f.n++
	}
	return f.n == widespread
}

// find is the fate of a destination; a new one may take the place of the oldest.
func (f *fates) find(destination uint64, now time.Time) *fate {
	oldest := 0
	for n := range f.list {
		if f.list[n].destination == destination {
			if now.Sub(f.list[n].at) > stallMemory {
				f.list[n].n = 0
			}
			return &f.list[n]
		}
		if f.list[n].at.Before(f.list[oldest].at) {
			oldest = n
		}
	}
	if len(f.list) < mostFates {
		f.list = append(f.list, fate{})
		oldest = len(f.list) - 1
	}
	f.list[oldest] = fate{destination: destination}
	return &f.list[oldest]
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
	return now.Sub(r.Since) >= holdFor && r.State == Suspect && g.fates.find(only, now).n < 2
}

// hold has a suspect wait for its verdict by the flows of clients: one greeting, to
// show that it is them and not the path, at once if they are to several
// destinations, else when it is known if they stop elsewhere.
func (g *Group) hold(i int, now time.Time) {
	r := &g.records[i]
	r.confirm = Stalled
	at := now
	if !g.damned(i, now) {
		at = later(now, r.Since.Add(holdFor))
	}
	g.confirm(i, at)
}
