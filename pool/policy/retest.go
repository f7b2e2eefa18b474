package policy

import "time"

// condemn moves an endpoint to the dead and plans its first retest. A relapse in
// probation goes on with the pauses from where they were.
func (g *Group) condemn(i int, now time.Time, v Verdict, cause Outcome, why string) {
	if g.records[i].State != Probation {
		g.records[i].retest = 0
	}
	g.move(i, Condemned, now, v, cause, why)
	g.postpone(i, now)
}

// postpone plans the next retest of a dead endpoint, twice as far away as the
// last one.
func (g *Group) postpone(i int, now time.Time) {
	r := &g.records[i]
	r.retest = min(max(2*r.retest, g.limits.RetestMin), g.limits.RetestMax)
	r.examine = time.Time{}
	g.examineAt(i, now.Add(g.shorten(r.retest)), Carry)
}

// retested takes the answered retest of a dead endpoint.
func (g *Group) retested(i int, x Examination) {
	r := &g.records[i]
	v, why := Conclude(x)
	unseen := x.Down.Outcome == None && r.transfer
	if v != Alive || unseen && x.At.Sub(r.Since) < g.limits.RetestMax {
		g.postpone(i, x.At)
		return
	}
	g.move(i, Returned, x.At, Alive, None, why)
	r.examine = time.Time{}
	pause := g.limits.Probation
	if g.freeSlot() >= 0 {
		pause = 0
	}
	g.examineAt(i, x.At.Add(pause), Carry)
}
