package compat

import "slices"

// backlog holds the users who wait, in classes of equal value, the best first. There
// are thousands of users and dozens of classes: most have the same history.
type backlog struct {
	classes []int32 // in order of value, highest first: indices of values and users
	values  []float64
	users   [][]int32
	byValue map[float64]int32
}

// member says where in the backlog a user is. The zero value is nowhere.
type member struct {
	class int32 // from 1 on
	place int32
}

// The classes that are none.
const (
	absent  = 0
	flagged = -1 // and never will be in any
)

func (*backlog) has(members []member, u int32) bool { return members[u].class > 0 }

// add has a user wait, unless it is shut out.
func (b *backlog) add(members []member, u int32, value float64) {
	if members[u].class != absent {
		return
	}
	c, ok := b.byValue[value]
	if !ok {
		c = b.newClass(value)
	}
	members[u] = member{class: c + 1, place: int32(len(b.users[c]))}
	b.users[c] = append(b.users[c], u)
}

func (b *backlog) newClass(value float64) int32 {
	if b.byValue == nil {
		b.byValue = make(map[float64]int32)
	}
	c := int32(len(b.values))
	b.values = append(b.values, value)
	b.users = append(b.users, nil)
	b.byValue[value] = c
	at, _ := slices.BinarySearchFunc(b.classes, value, func(c int32, value float64) int {
		if b.values[c] > value {
			return -1
		}
		return 1
	})
	b.classes = slices.Insert(b.classes, at, c)
	return c
}

// remove takes a user out who waits.
func (b *backlog) remove(members []member, u int32) {
	m := members[u]
	users := b.users[m.class-1]
	last := users[len(users)-1]
	users[m.place] = last
	members[last].place = m.place
	b.users[m.class-1] = users[:len(users)-1]
	members[u] = member{}
}

// eachBelow calls f for the users whose value is below another. F may remove the user
// that it is called for.
func (b *backlog) eachBelow(value float64, f func(u int32, value float64)) {
	for i := len(b.classes) - 1; i >= 0 && b.values[b.classes[i]] < value; i-- {
		c := b.classes[i]
		for _, u := range slices.Backward(b.users[c]) { // what is removed is filled from behind
			f(u, b.values[c])
		}
	}
}
