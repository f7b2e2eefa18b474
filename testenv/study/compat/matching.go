package compat

import "math"

// matching is deferred acceptance (Gale and Shapley 1962) in which users propose. All
// values are what they were before it, so that preferences are strict and the outcome
// is the same in whatever order users propose. This is used here:
//
//   - Users propose in the order of their value, so that few are thrown out again. A
//     proxy that is full takes nobody whose value is no higher than that of the least
//     of its users, so that when no proxy would take even a near user of a class, all
//     classes below are done.
//   - What a full proxy asks only grows. So a user need not remember who refused it: it
//     proposes to the best of the proxies that would take it now.
type matching struct {
	seats []seats // of each open proxy
}

// seats are the places of a proxy, of which the least user is at the top of a heap.
type seats struct {
	location float64
	appeal   float64 // to all users, but for the distance
	least    float64 // what a user's value must be above
	room     int
	taken    []seat
}

type seat struct {
	value float64
	user  int32
}

// run matches the users in the backlog with the open proxies.
func (m *matching) run(d *dynamic) {
	for len(m.seats) < len(d.open) {
		m.seats = append(m.seats, seats{})
	}
	all := m.seats[:len(d.open)]
	for i, id := range d.open {
		p := &d.proxies[id]
		all[i] = seats{
			location: p.location, appeal: (d.Weights.Known + d.Weights.Connected) * float64(p.users),
			least: math.Inf(-1), room: int(p.room), taken: all[i].taken[:0],
		}
	}
	for _, c := range d.backlog.classes {
		users := d.backlog.users[c]
		if len(users) == 0 {
			continue
		}
		value := d.backlog.values[c]
		if !wanted(all, value) {
			return
		}
		for _, u := range users {
			for value := value; u >= 0; {
				u, value = propose(all, d, u, value)
			}
		}
	}
}

// wanted reports whether any proxy would take a user of a value who is where it is.
func wanted(all []seats, value float64) bool {
	for i := range all {
		if value > all[i].least {
			return true
		}
	}
	return false
}

// propose has a user propose to the best proxy that takes it, and returns who is thrown
// out for it, with its value, or -1.
func propose(all []seats, d *dynamic, u int32, value float64) (int32, float64) {
	at := d.location[u]
	best, bestAppeal, bestValue := -1, math.Inf(-1), 0.
	for i := range all {
		s := &all[i]
		distance := math.Abs(s.location - at)
		worth := value - d.Weights.Distance*distance
		if worth <= s.least {
			continue
		}
		if appeal := s.appeal - d.Weights.Away*distance; appeal > bestAppeal {
			best, bestAppeal, bestValue = i, appeal, worth
		}
	}
	if best < 0 {
		return -1, 0
	}
	s := &all[best]
	if len(s.taken) < s.room {
		s.push(seat{bestValue, u})
		if len(s.taken) == s.room {
			s.least = s.taken[0].value
		}
		return -1, 0
	}
	out := s.replace(seat{bestValue, u})
	s.least = s.taken[0].value
	// What it is worth to that proxy is less than its own value by the distance.
	return out.user, d.backlog.values[d.members[out.user].class-1]
}

func (s *seats) push(x seat) {
	s.taken = append(s.taken, x)
	i := len(s.taken) - 1
	for i > 0 {
		up := (i - 1) / 2
		if s.taken[up].value <= x.value {
			break
		}
		s.taken[i] = s.taken[up]
		i = up
	}
	s.taken[i] = x
}

// replace puts a user in the place of the least.
func (s *seats) replace(x seat) (least seat) {
	least = s.taken[0]
	i := 0
	for {
		down := 2*i + 1
		if down >= len(s.taken) {
			break
		}
		if down+1 < len(s.taken) && s.taken[down+1].value < s.taken[down].value {
			down++
		}
		if s.taken[down].value >= x.value {
			break
		}
		s.taken[i] = s.taken[down]
		i = down
	}
	s.taken[i] = x
	return least
}
