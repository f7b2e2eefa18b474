package policy

import "time"

// Advance does what is due at now: it fills free slots, asks canaries, and
// plans examinations. It returns all actions since the last call, and when it
// next wants to be called, unless something is fed to it before; the zero Time
// means never. The slice is valid until the next call.
func (g *Group) Advance(now time.Time) ([]Action, time.Time) {
	if g.out.stage == calm {
		g.fill(now)
	}
	next := g.advanceOutage(now)
	next = earlier(next, g.advanceSamples(now))
	next = earlier(next, g.advanceDue(now))
	actions := g.actions
	g.actions = nil
	return actions, next
}

// advanceOne starts the examination of i if it is due, and says when it is.
func (g *Group) advanceOne(i int, now time.Time) time.Time {
	r := &g.records[i]
	if r.State == Reserve || r.State == Retired || r.examining {
		return time.Time{}
	}
	if r.State == Active && r.examine.IsZero() {
		g.planRoutine(i, now)
	}
	due := r.examine
	if due.IsZero() {
		return time.Time{}
	}
	if r.State == Dead && g.agenda.nobody && !r.Verdict.interfered() && r.Cause != Denied {
		// With nothing left to use, waiting longer only locks the clients out; but
		// what is blocked may stay so just because it is tried, and who sends wrong
		// passwords is banned. Clients try it.
		if now.Add(g.limits.RetestMin).Before(due) {
			due = now.Add(g.shorten(g.limits.RetestMin))
			r.examine, r.retest = due, g.limits.RetestMin
		}
	}
	if r.routine && r.idle && r.inUse(now) {
		g.planRoutine(i, r.seen) // a client has come since that was planned
		due = r.examine
	}
	if now.Before(due) {
		return due
	}
	if r.routine && !r.doubtful() && r.depth == Greet && r.seen.Add(g.limits.ProbeEvery).After(now) {
		// Traffic has answered for it in the meantime.
		g.planRoutine(i, r.seen)
		if r.examine.After(now) {
			return r.examine
		}
	}
	r.routine = false
	r.examine, r.examining, r.begun, r.Exposed = time.Time{}, true, now, true
	g.actions = append(g.actions, g.inquire(i, now))
	return time.Time{}
}

// planRoutine plans the next look at a healthy endpoint: soon if clients use it,
// seldom if not, and deep when it has not carried anything for long.
func (g *Group) planRoutine(i int, from time.Time) {
	r := &g.records[i]
	r.routine = true
	every, carry := g.limits.ProbeEvery, g.limits.CarryEvery
	if r.idle = !r.inUse(from); r.idle {
		every, carry = g.limits.IdleEvery, 6*g.limits.CarryEvery
	}
	r.depth = Greet
	r.examine = from.Add(g.shorten(every))
	if deep := r.carried.Add(carry); !r.examine.Before(deep) {
		r.depth = Carry
	}
}

// controls picks up to two active endpoints to be asked beside a suspect: free
// of doubt, and as far from it as possible.
func (g *Group) controls(i int) []int {
	first, second := -1, -1
	var near, near2 int
	for _, j := range g.slots {
		if j < 0 || j == i || g.records[j].State != Active || g.records[j].doubtful() {
			continue
		}
		n := 0
		if g.records[j].provider == g.records[i].provider {
			n++
		}
		if g.records[j].prefix == g.records[i].prefix {
			n += 2
		}
		switch {
		case first < 0 || n < near:
			first, second, near, near2 = j, first, n, near
		case second < 0 || n < near2:
			second, near2 = j, n
		}
	}
	var c []int
	if first >= 0 {
		c = append(c, first)
	}
	if second >= 0 {
		c = append(c, second)
	}
	return c
}

// nobody says whether no endpoint is active.
func (g *Group) nobody() bool {
	for _, i := range g.slots {
		if i >= 0 && g.records[i].State == Active {
			return false
		}
	}
	return true
}

// earlier is the earlier of two times, of which the zero Time is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
