package pool

import (
	"sync/atomic"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// moves remembers, for a bounded number of clients, where each was last sent and
// whether it has left its home slot. It is a direct-mapped table: two clients
// that fall on one entry forget each other, which costs the loser one move.
// Reads and writes are lock-free.
type moves struct {
	entries [1 << 14]atomic.Pointer[move]
	moved   atomic.Int64 // clients sent elsewhere than before, since last asked
}

// move is immutable.
type move struct {
	client uint64
	// epoch counts the rotations that were asked for.
	epoch uint32
	// order is the epoch of its order of endpoints, planned rotations included.
	order uint32
	// slot is where the client stays while home, at that generation, is gone;
	// -1 if it is at home.
	slot, home int
	generation uint32
	// last is the endpoint that it was last sent to.
	last *Endpoint
}

func (m *moves) at(client uint64) *atomic.Pointer[move] {
	return &m.entries[client%uint64(len(m.entries))]
}

// load is what is known of the client; nil if nothing is.
func (m *moves) load(client uint64) *move {
	if e := m.at(client).Load(); e != nil && e.client == client {
		return e
	}
	return nil
}

// Rotate moves a client to a fresh order of endpoints from its next request on.
// Its open streams stay.
func (p *Pool) Rotate(client string) {
	h := policy.Hash(client)
	next := &move{client: h, slot: -1}
	if old := p.moves.load(h); old != nil {
		next.epoch, next.last = old.epoch, old.last
	}
	next.epoch++
	p.moves.at(h).Store(next)
}
