package blocker

import (
	"net/netip"
	"slices"
	"time"
)

// Registry is a block list with dates: which prefixes are listed at what time.
// It holds the past and what has been ordered for the future, so that an ISP
// with a lag of an hour asks for the list as it was an hour ago. The zero value
// is empty and ready to use. A Registry is not safe for concurrent use; the
// sets that it returns are.
type Registry struct {
	changes []Change
	// states[i] is the list after all changes up to states[i].at. They are
	// made as asked for, and forgotten from a new change on.
	states []dated
}

// Change is one order to the registry.
type Change struct {
	At       time.Time
	Prefixes []netip.Prefix
	// Lift is true if the prefixes are struck off the list.
	Lift bool
}

type dated struct {
	at      time.Time
	changes int
	set     *PrefixSet
}

// Block lists prefixes from a time on.
func (r *Registry) Block(at time.Time, prefixes ...netip.Prefix) {
	r.Enter(Change{At: at, Prefixes: prefixes})
}

// Unblock strikes exactly these prefixes off the list from a time on. A longer
// or shorter prefix that was listed for itself stays.
func (r *Registry) Unblock(at time.Time, prefixes ...netip.Prefix) {
	r.Enter(Change{At: at, Prefixes: prefixes, Lift: true})
}

// Enter enters a change at its date. Of two changes with the same date, the one
// entered later comes later.
func (r *Registry) Enter(c Change) {
	c.Prefixes = slices.Clone(c.Prefixes)
	i := len(r.changes)
	for i > 0 && r.changes[i-1].At.After(c.At) {
		i--
	}
	r.changes = slices.Insert(r.changes, i, c)
	for n := len(r.states); n > 0 && !r.states[n-1].at.Before(c.At); n-- {
		r.states = r.states[:n-1]
	}
}

// At is the list as it is at a time, changes of that very moment included.
func (r *Registry) At(t time.Time) *PrefixSet {
	n := len(r.states)
	for n > 0 && r.states[n-1].at.After(t) {
		n--
	}
	var s dated
	if n > 0 {
		s = r.states[n-1]
	}
	if n < len(r.states) {
		return s.set
	}
	for s.changes < len(r.changes) && !r.changes[s.changes].At.After(t) {
		s.at = r.changes[s.changes].At
		for s.changes < len(r.changes) && r.changes[s.changes].At.Equal(s.at) {
			c := &r.changes[s.changes]
			if c.Lift {
				s.set = s.set.Without(c.Prefixes...)
			} else {
				s.set = s.set.With(c.Prefixes...)
			}
			s.changes++
		}
		r.states = append(r.states, s)
	}
	return s.set
}

// Next is the date of the first change after a time, and whether there is one.
func (r *Registry) Next(after time.Time) (time.Time, bool) {
	for _, c := range r.changes {
		if c.At.After(after) {
			return c.At, true
		}
	}
	return time.Time{}, false
}

// Changes are all orders in the order of their dates. The slice must not be
// changed.
func (r *Registry) Changes() []Change { return r.changes }
