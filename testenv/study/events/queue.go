package events

import (
	"fmt"
	"math/bits"
	"time"
)

const (
	levels  = 8   // bytes of a time
	buckets = 256 // values of a byte
)

// Queue holds events of type T. The zero value is empty, and its present is the
// earliest time there is. It is not safe for concurrent use.
type Queue[T any] struct {
	now      uint64 // the time of the event taken last, as a code
	length   int
	filled   uint8 // bit l: level l is not empty
	occupied [levels][buckets / 64]uint64
	lists    [levels][buckets]list
	store    store[T]

	// first is the least time there is, if it is known.
	first uint64
	known bool
}

// code maps times to unsigned numbers in the same order.
func code(at time.Duration) uint64   { return uint64(at) ^ 1<<63 }
func decode(at uint64) time.Duration { return time.Duration(at ^ 1<<63) }

// Len is how many events there are.
func (q *Queue[T]) Len() int { return q.length }

// Push schedules an event. It panics if that is before the event that was taken
// last: there is no going back.
func (q *Queue[T]) Push(at time.Duration, event T) {
	c := code(at)
	if c < q.now {
		panic(fmt.Sprintf("events: %v is past: it is %v", at, decode(q.now)))
	}
	q.length++
	q.place(c, event)
	if q.length == 1 {
		q.first, q.known = c, true
	} else if c < q.first {
		q.first = c
	}
}

// Next is the time of the event that [Queue.Pop] would return, and whether there is
// one.
func (q *Queue[T]) Next() (time.Duration, bool) {
	if q.length == 0 {
		return 0, false
	}
	if !q.known {
		level := bits.TrailingZeros8(q.filled)
		b := q.lowest(level)
		if level == 0 {
			q.first = q.now&^(buckets-1) | uint64(b)
		} else {
			q.first = q.store.least(q.lists[level][b])
		}
		q.known = true
	}
	return decode(q.first), true
}

// Pop takes the first event out, and reports whether there was one.
func (q *Queue[T]) Pop() (at time.Duration, event T, ok bool) {
	if q.length == 0 {
		return 0, event, false
	}
	if level := bits.TrailingZeros8(q.filled); level > 0 {
		if l := &q.lists[level][q.lowest(level)]; q.store.single(*l) {
			// Alone in its bucket, as most are when there are few.
			return q.take(level, q.lowest(level))
		}
		q.open(level)
	}
	return q.take(0, q.lowest(0))
}

// take removes the first event of a bucket, whose time becomes the present.
func (q *Queue[T]) take(level, b int) (time.Duration, T, bool) {
	l := &q.lists[level][b]
	at, event := q.store.shift(l)
	if l.empty() {
		q.vacate(level, b)
	}
	q.length--
	q.now, q.known = at, false
	return decode(at), event, true
}

// open empties the first bucket of a level into lower ones.
func (q *Queue[T]) open(level int) {
	b := q.lowest(level)
	l := q.lists[level][b]
	if q.known {
		q.now = q.first
	} else {
		q.now = q.store.least(l)
	}
	q.lists[level][b] = list{}
	q.vacate(level, b)
	for i := l.head; i != none; {
		c := q.store.chunk(i)
		for k := c.begin; k < c.end; k++ {
			q.place(c.at[k], c.event[k])
		}
		next := c.next
		q.store.release(i)
		i = next
	}
}

// place puts an event into the bucket that its time asks for.
func (q *Queue[T]) place(at uint64, event T) {
	level, b := 0, at&(buckets-1)
	if d := at ^ q.now; d >= buckets {
		level = (bits.Len64(d) - 1) / 8
		b = at >> (8 * level) & (buckets - 1)
	}
	l := &q.lists[level][b]
	if l.empty() {
		q.filled |= 1 << level
		q.occupied[level][b/64] |= 1 << (b % 64)
	}
	q.store.append(l, at, event)
}

// vacate notes that a bucket is empty.
func (q *Queue[T]) vacate(level, b int) {
	o := &q.occupied[level]
	o[b/64] &^= 1 << (b % 64)
	if o[0]|o[1]|o[2]|o[3] == 0 {
		q.filled &^= 1 << level
	}
}

// lowest is the first bucket of a level that is not empty.
func (q *Queue[T]) lowest(level int) int {
	for i, word := range &q.occupied[level] {
		if word != 0 {
			return 64*i + bits.TrailingZeros64(word)
		}
	}
	panic("events: a level that is not empty has no events")
}
