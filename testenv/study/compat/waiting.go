package compat

import "math/bits"

// waiting is who waits since when, in the order in which the waits began; those who
// leave and return keep their place in it.
type waiting struct {
	since []int32  // by user, or never
	place []int32  // by user, in order
	order []int32  // users
	here  []uint64 // bit i: the wait at place i is open, and its user is present
}

// newWaiting has room for a number of users.
func newWaiting(users int) waiting {
	return waiting{since: make([]int32, 0, users), place: make([]int32, 0, users), order: make([]int32, 0, users)}
}

// grow makes room for users up to a number.
func (w *waiting) grow(users int) {
	for len(w.since) < users {
		w.since = append(w.since, never)
		w.place = append(w.place, never)
	}
}

// open begins a user's wait. One that is open begins anew, at its old place.
func (w *waiting) open(u, step int32) {
	w.since[u] = step
	if w.place[u] == never {
		w.place[u] = int32(len(w.order))
		w.order = append(w.order, u)
		if len(w.order) > 64*len(w.here) {
			w.here = append(w.here, 0)
		}
	}
	w.here[w.place[u]/64] |= 1 << (w.place[u] % 64)
}

func (w *waiting) openUnlessOpen(u, step int32) {
	if w.since[u] == never {
		w.open(u, step)
	}
}

// leave takes a user out of sight, whose wait goes on.
func (w *waiting) leave(u int32) {
	if w.since[u] != never {
		w.here[w.place[u]/64] &^= 1 << (w.place[u] % 64)
	}
}

// each calls f for those who are present and whose wait is open. F may end the wait.
func (w *waiting) each(f func(u int32)) {
	for i, word := range w.here {
		for ; word != 0; word &= word - 1 {
			f(w.order[64*i+bits.TrailingZeros64(word)])
		}
	}
}

// unserved appends those of them who have no proxy that works.
func (w *waiting) unserved(people []person, to []int32) []int32 {
	w.each(func(u int32) {
		if people[u].live == 0 {
			to = append(to, u)
		}
	})
	return to
}

// close ends the waits of those who have one, if they are a step long.
func (w *waiting) close(people []person, step int32, l *log) {
	w.each(func(u int32) {
		if people[u].live == 0 || step == w.since[u] {
			return
		}
		l.waited(people[u].agent, step-w.since[u])
		w.leave(u)
		w.since[u], w.place[u] = never, never
	})
}
