package policy

import "time"

// unwitnessed takes silence, or a rejection, of which nobody can say whose fault it is.
func (g *Group) unwitnessed(i int, x Examination) {
	r := &g.records[i]
	switch r.State {
	case Active:
		failures := r.failures + min(r.late, 1) + x.failures()
		g.move(i, Doubted, x.At, Conclusion{Cause: x.Greeting, Why: Conclude(x).Why})
		r.doubt, r.failures, r.late = x.Asked, failures, 0
		g.examineAt(i, x.At, Greet)
		g.sweep(x.At)
	case Suspect:
		if r.doubt.IsZero() {
			r.doubt = x.Asked
		}
		again := x.At.Add(time.Second)
		if g.sweep(x.At) {
			again = later(x.At, x.Asked.Add(time.Second)) // there may be witnesses now
		}
		g.examineAt(i, again, Greet)
	case Reserve:
		r.doubt = x.Asked // a canary; the next one shall be another
	case Dead:
		if r.Verdict.interfered() {
			g.postpone(i, x.At)
			return
		}
		g.examineAt(i, x.At.Add(g.limits.RetestMin), Carry)
	case Probation:
		g.examineAt(i, x.At.Add(time.Second), Carry)
	default: // retired
	}
}

// sweep has every active endpoint that is not in doubt examined now, and says
// whether there is any: it can bear witness.
func (g *Group) sweep(now time.Time) bool {
	found := false
	for _, i := range g.slots {
		if i >= 0 && g.records[i].State == Active && !g.records[i].doubtful() {
			found = true
			if !g.records[i].examining {
				g.examineAt(i, now, Greet)
			}
		}
	}
	return found
}
