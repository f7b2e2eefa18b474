package pool

import (
	"sync"
	"sync/atomic"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Size of the table of moves: 32,768 clients in 1 MiB.
const (
	moveWays  = 4 // entries that a client can have, side by side
	moveSets  = 1 << 13
	moveLocks = 64
)

// moves remembers, for a bounded number of clients, the order of slots of each,
// where it was last sent and whether it has left its home slot. Two clients for
// whom there is but one entry forget each other, which costs the loser one move.
//
// Looking up a client that is there takes no lock; one that is not, and
// changes, take one of 64 locks for some nanoseconds. Nothing is allocated.
type moves struct {
	entries [moveSets][moveWays]entry
	locks   [moveLocks]sync.Mutex // for writing to the sets of the same remainder
	moved   atomic.Int64          // clients sent elsewhere than before, since last asked
}

// entry is a client and its move, in words that are read one by one. A reader
// that meets a writer sees words of two moves, and knows it by the check (an
// idea from chess programs: Hyatt and Mann, "A lock-less transposition table
// implementation for parallel search", 2002).
type entry struct{ check, order, epochs, place atomic.Uint64 }

// move is what is remembered of a client.
type move struct {
	// ranked is the order of its first slots, valid as long as the view's
	// ranking is the same and so is order.
	ranked  ranked
	ranking uint16
	// order is the epoch of its order of endpoints, planned rotations included.
	order uint32
	// epoch counts the rotations that were asked for.
	epoch uint16
	// slot is where the client stays while home, at that generation, is gone. It
	// is home if the client is there.
	slot, home uint8
	generation uint16
	// last is the endpoint that it was last sent to, by index plus 1; 0 if it
	// was not sent anywhere.
	last uint32
}

// ranked is the order of the first slots, the first one in the lowest byte.
type ranked [policy.MaxRank]uint8

func (r ranked) word() (w uint64) {
	for n, slot := range r {
		w |= uint64(slot) << (8 * n)
	}
	return w
}

func (m *move) words() (order, epochs, place uint64) {
	return m.ranked.word(),
		uint64(m.order) | uint64(m.epoch)<<32 | uint64(m.ranking)<<48,
		uint64(m.last) | uint64(m.slot)<<32 | uint64(m.home)<<40 | uint64(m.generation)<<48
}

func (m *move) read(order, epochs, place uint64) {
	for n := range m.ranked {
		m.ranked[n] = uint8(order >> (8 * n))
	}
	m.order, m.epoch, m.ranking = uint32(epochs), uint16(epochs>>32), uint16(epochs>>48)
	m.last, m.slot, m.home, m.generation = uint32(place), uint8(place>>32), uint8(place>>40), uint16(place>>48)
}

// check binds three words and a client to each other. An empty entry, all zero,
// belongs to nobody.
func check(client, order, epochs, place uint64) uint64 {
	return client ^ (order*0x9e3779b97f4a7c15 + epochs*0xbf58476d1ce4e5b9 + place*0x94d049bb133111eb + 1)
}

func (e *entry) load(client uint64, into *move) bool {
	order, epochs, place := e.order.Load(), e.epochs.Load(), e.place.Load()
	if e.check.Load() != check(client, order, epochs, place) {
		return false
	}
	into.read(order, epochs, place)
	return true
}

func (e *entry) store(client uint64, m *move) {
	order, epochs, place := m.words()
	e.order.Store(order)
	e.epochs.Store(epochs)
	e.place.Store(place)
	e.check.Store(check(client, order, epochs, place))
}

// plain says whether nothing is lost with the entry but a place in the table.
func (e *entry) plain() bool {
	var m move
	m.read(e.order.Load(), e.epochs.Load(), e.place.Load())
	return m.epoch == 0 && m.slot == m.home
}

func (m *moves) at(client uint64) (*[moveWays]entry, *sync.Mutex) {
	set := client % moveSets
	return &m.entries[set], &m.locks[set%moveLocks]
}

// load reads what is known of the client, and says whether anything is.
func (m *moves) load(client uint64, into *move) bool {
	set, lock := m.at(client)
	if _, ok := find(set, client, into); ok {
		return true
	}
	lock.Lock() // it may be there, and in the middle of a change
	defer lock.Unlock()
	_, ok := find(set, client, into)
	return ok
}

// find looks for the client's entry. The first place to look at differs from
// client to client.
func find(set *[moveWays]entry, client uint64, into *move) (*entry, bool) {
	for n := range uint64(moveWays) {
		if e := &set[(client>>32+n)%moveWays]; e.load(client, into) {
			return e, true
		}
	}
	return nil, false
}

// change is a client's move while it is being changed. Others of the set wait:
// end it at once.
type change struct {
	move   // what is known now; the zero move if nothing is
	client uint64
	set    *[moveWays]entry
	entry  *entry // nil if it has none yet
	lock   *sync.Mutex
}

// change begins a change of what is known of the client.
func (m *moves) change(client uint64) (c change) {
	c.client = client
	c.set, c.lock = m.at(client)
	c.lock.Lock()
	c.entry, _ = find(c.set, client, &c.move)
	return c
}

// keep stores the move as it is now.
func (c *change) keep() {
	if c.entry == nil {
		c.entry = victim(c.set, c.client)
	}
	c.entry.store(c.client, &c.move)
}

func (c *change) end() { c.lock.Unlock() }

// victim is the entry that a newcomer gets: the first in its order that is
// empty or has little to lose.
func victim(set *[moveWays]entry, client uint64) *entry {
	for n := range uint64(moveWays) {
		if e := &set[(client>>32+n)%moveWays]; e.check.Load() == 0 {
			return e
		}
	}
	for n := range uint64(moveWays) {
		if e := &set[(client>>34+n)%moveWays]; e.plain() {
			return e
		}
	}
	return &set[client>>34%moveWays]
}

// Rotate moves a client to a fresh order of endpoints from its next request on.
// Its open streams stay.
func (p *Pool) Rotate(client string) {
	c := p.moves.change(policy.Hash(client))
	defer c.end()
	c.epoch++
	c.slot = c.home
	c.keep()
}
