package events

// chunkSize is how many events lie together. Larger ones waste memory where buckets
// hold few, smaller ones hold more links than events.
const chunkSize = 16

// blockSize is how many chunks are allocated at a time, so that what has been handed
// out never moves.
const blockSize = 256

// none is no chunk. Chunks are numbered from 1, so that the zero list is empty.
const none = 0

// list is a queue of chunks.
type list struct{ head, tail int32 }

func (l *list) empty() bool { return l.head == none }

// chunk is a part of a list: the events from begin to end.
type chunk[T any] struct {
	next       int32
	begin, end int16
	at         [chunkSize]uint64
	event      [chunkSize]T
}

// store is where the chunks of all lists are.
type store[T any] struct {
	blocks [][]chunk[T]
	free   int32 // the first of the chunks that are not in use
	used   int32 // how many have ever been in use
}

func (s *store[T]) chunk(i int32) *chunk[T] { return &s.blocks[i/blockSize][i%blockSize] }

func (s *store[T]) append(l *list, at uint64, event T) {
	if l.head == none {
		l.head = s.acquire()
		l.tail = l.head
	}
	c := s.chunk(l.tail)
	if c.end == chunkSize {
		i := s.acquire()
		c.next = i
		l.tail = i
		c = s.chunk(i)
	}
	c.at[c.end], c.event[c.end] = at, event
	c.end++
}

// shift takes the first event of a list that is not empty.
func (s *store[T]) shift(l *list) (at uint64, event T) {
	c := s.chunk(l.head)
	at, event = c.at[c.begin], c.event[c.begin]
	var zero T
	c.event[c.begin] = zero // it may hold pointers
	c.begin++
	if c.begin == c.end {
		next := c.next
		s.release(l.head)
		l.head = next
	}
	return at, event
}

// single reports whether a list has exactly one event.
func (s *store[T]) single(l list) bool {
	c := s.chunk(l.head)
	return l.head == l.tail && c.end-c.begin == 1
}

// least is the earliest time in a list that is not empty.
func (s *store[T]) least(l list) uint64 {
	least := ^uint64(0)
	for i := l.head; i != none; {
		c := s.chunk(i)
		for _, at := range c.at[c.begin:c.end] {
			least = min(least, at)
		}
		i = c.next
	}
	return least
}

func (s *store[T]) acquire() int32 {
	if i := s.free; i != none {
		c := s.chunk(i)
		s.free, c.next = c.next, none
		return i
	}
	s.used++
	if int(s.used/blockSize) == len(s.blocks) {
		s.blocks = append(s.blocks, make([]chunk[T], blockSize))
	}
	return s.used
}

// release gives back a chunk whose events have all been taken or moved.
func (s *store[T]) release(i int32) {
	c := s.chunk(i)
	clear(c.event[c.begin:c.end]) // they may hold pointers
	c.begin, c.end = 0, 0
	c.next, s.free = s.free, i
}
