package policy

import (
	"slices"
	"time"
)

// agenda says which endpoints Advance has to look at: those that are due, and
// those to which something has happened. So the cost of a look hangs on what
// there is to do, and not on how many endpoints there are.
type agenda struct {
	heap    []appointment // the earliest first
	touched []int         // to be looked at in any case
	unfiled []int         // to be filed anew in the tally
	// nobody is whether no endpoint was active at the last look.
	nobody bool
}

// appointment is when an endpoint is due.
type appointment struct {
	at       time.Time
	endpoint int
}

// mark is a record's place in the agenda.
type mark struct {
	place            int // in the heap, plus 1; 0 if it has no appointment
	touched, unfiled bool
}

// touch notes that something has happened to i that may change when it is due,
// or how it counts.
func (g *Group) touch(i int) {
	m := &g.records[i].mark
	if !m.touched {
		m.touched = true
		g.agenda.touched = append(g.agenda.touched, i)
	}
	if !m.unfiled {
		m.unfiled = true
		g.agenda.unfiled = append(g.agenda.unfiled, i)
	}
}

// advanceDue starts the examinations that are due, and says when the next one
// is. Endpoints take their turns by index, so that equal inputs give equal
// draws.
func (g *Group) advanceDue(now time.Time) time.Time {
	a := &g.agenda
	nobody := g.nobody()
	if nobody && !a.nobody {
		for i := range g.records {
			if g.records[i].State == Dead {
				g.touch(i) // it is to be tried earlier now
			}
		}
	}
	a.nobody = nobody
	for len(a.heap) > 0 && !now.Before(a.heap[0].at) {
		i := a.heap[0].endpoint
		g.appoint(i, time.Time{})
		g.touch(i)
	}
	slices.Sort(a.touched)
	for _, i := range a.touched {
		g.records[i].mark.touched = false
		g.appoint(i, g.advanceOne(i, now))
	}
	a.touched = a.touched[:0]
	if len(a.heap) == 0 {
		return time.Time{}
	}
	return a.heap[0].at
}

// appoint has i looked at again at the given time; the zero Time is never.
func (g *Group) appoint(i int, at time.Time) {
	h := &g.agenda.heap
	n := g.records[i].mark.place - 1
	switch {
	case n < 0 && at.IsZero():
		return
	case n < 0:
		n = len(*h)
		*h = append(*h, appointment{})
		g.settle(n, appointment{at, i})
	case at.IsZero():
		g.records[i].mark.place = 0
		last := len(*h) - 1
		moved := (*h)[last]
		*h = (*h)[:last]
		if n < last {
			g.settle(n, moved)
		}
	default:
		g.settle(n, appointment{at, i})
	}
}

// settle puts an appointment where place n is vacant, and moves others up or
// down until each is before its two successors in the heap.
func (g *Group) settle(n int, x appointment) {
	h := g.agenda.heap
	put := func(n int, x appointment) {
		h[n] = x
		g.records[x.endpoint].mark.place = n + 1
	}
	for n > 0 && x.at.Before(h[(n-1)/2].at) {
		put(n, h[(n-1)/2])
		n = (n - 1) / 2
	}
	for {
		next := 2*n + 1
		if next+1 < len(h) && h[next+1].at.Before(h[next].at) {
			next++
		}
		if next >= len(h) || !h[next].at.Before(x.at) {
			break
		}
		put(n, h[next])
		n = next
	}
	put(n, x)
}
