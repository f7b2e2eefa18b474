package blocker

import (
	"net/netip"
	"sync"
	"time"
)

// Residue remembers which pairs of client and server a lingering rule has
// struck. Each border has one, shared by its flows. The zero value is empty and
// ready to use; it is safe for concurrent use.
type Residue struct {
	mu    sync.Mutex
	until map[pair]time.Time
}

type pair struct {
	rule   RuleID
	client netip.Addr
	server netip.AddrPort
}

func (r *Residue) mark(id RuleID, client netip.Addr, server netip.AddrPort, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil {
		r.until = make(map[pair]time.Time)
	}
	k := pair{id, client, server}
	if r.until[k].Before(until) {
		r.until[k] = until
	}
}

// holds reports whether a window is open, and forgets one that is over.
func (r *Residue) holds(id RuleID, client netip.Addr, server netip.AddrPort, now time.Time) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k := pair{id, client, server}
	until, ok := r.until[k]
	if ok && !now.Before(until) {
		delete(r.until, k)
		return false
	}
	return ok
}
