package policy

import "time"

// Where a queue fills up on our own line, every endpoint is slow at once, and what
// does not fit is lost, of all of them together. That is no endpoint's doing, and
// many failures in a row are then no chance, but one queue.
const (
	// tardy is how long an answer takes at least that is late; where the way itself is
	// long, it is three times as long as the way has been.
	tardy = ShortestSilence
	// tardyLasts is for how long it counts.
	tardyLasts = 5 * time.Second
	// queuedPatience is for how long silence has to last then, before it is more than
	// slowness: as long as an examination may.
	queuedPatience = 10 * time.Second
	// longWay is the round trip from which on a client's patience may be shorter than
	// the way: nearer than that, who calls an answer overdue has waited for longer.
	longWay = 300 * time.Millisecond
)

// queued says whether the others, too, answer late at the moment: two of them at
// least, and half of those that have answered lately.
func (g *Group) queued(i int, now time.Time) bool {
	answered, late := 0, 0
	for _, j := range g.slots {
		if j < 0 || j == i {
			continue
		}
		r := &g.records[j]
		if now.Sub(r.seen) < tardyLasts {
			answered++
		}
		if now.Sub(r.tardy) < tardyLasts {
			late++
		}
	}
	return late >= 2 && 2*late >= answered
}

// took notes for how long an answer was waited for.
func (r *Record) took(d time.Duration, at time.Time) {
	if d >= max(tardy, 3*r.nearest) {
		r.tardy = later(r.tardy, at)
	}
}

// early says whether what is overdue has not been asked for longer than its way
// takes: a round trip, and two for a greeting with a password, and a quarter more.
func (r *Record) early(ev Evidence) bool {
	trips := 1
	if ev.Phase == Greeting {
		trips = 2
	}
	return r.rtt > longWay && (ev.Outcome == Overdue || ev.Outcome == Silent) && ev.At.Sub(ev.Asked) < time.Duration(trips)*r.rtt*5/4
}
