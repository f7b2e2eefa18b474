// Package events holds what is still to happen in a simulated world, and gives it
// out in the order of its times; events of one time in the order in which they were
// scheduled.
//
//	var q events.Queue[event]
//	q.Push(arrival, event{kind: arrives, client: 17})
//	for {
//		now, e, ok := q.Pop()
//		if !ok || now > end {
//			break
//		}
//		...
//	}
//
// An event should be small and hold no pointers: a kind and an index into the
// simulation's arrays. One that is no longer wanted is not taken out; the world looks
// at it when it comes (a count in the event and one in the entity tell whether it is
// still meant) and leaves it at that.
//
// # How it works
//
// The queue is one of buckets, by the bytes of a time in nanoseconds. Time does not run
// backwards, so an event is in the bucket that is named by the first byte in which its
// time differs from the present, and by that byte: 8 levels of 256 buckets. What comes
// next is in the lowest bucket of the lowest level. When that is not a bucket of the
// lowest level, it is opened: its earliest time becomes the present, and its events go
// to buckets of lower levels. So an event moves at most seven times, and in practice two
// or three times, however many there are; it is a radix heap (Ahuja, Mehlhorn, Orlin and
// Tarjan 1990) with the buckets of a timing wheel (Varghese and Lauck 1987). Unlike
// those of a calendar queue (Brown 1988), its buckets have no width that would have to
// fit how events are spread.
//
// A bucket is a list of chunks, in which times and events lie in arrays of their own.
// Chunks are used again: once the queue has been as long as it gets, nothing is
// allocated. Since the events of one time are always together in one bucket, and are
// moved in order, they stay in order.
package events
