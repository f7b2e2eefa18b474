package relay

import (
	"slices"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

const (
	// restMin and restMax bound the pause after a warm connection has broken or
	// could not be had. It doubles from one to the other until one has served.
	restMin, restMax = time.Second, time.Minute
	// mostUnused is how many times in a row connections are renewed that nobody
	// takes, which only short idle limits make many.
	mostUnused = 4
)

// shelf is the warm connections of one endpoint.
//
// A place on it is held by one goroutine: by the keeper of the connection that is
// there, or by whoever opens the next one. So places, not connections, are
// compared with what is wanted.
type shelf struct {
	warm     *warm
	endpoint *pool.Endpoint

	mu       sync.Mutex
	kept     []*spare // the oldest first
	places   int
	demand   demand
	lifetime lifetime
	rest     time.Time // none is opened before
	pause    time.Duration
	unused   int // renewals since the last one was taken
}

// spare is one warm connection.
type spare struct {
	shelf   *shelf
	session *upstream.Session
	born    time.Time
	due     time.Time // to be renewed
	// lapsed is true while its keeper opens the next one in its place; guarded by
	// the shelf's mu.
	lapsed bool
	taken  bool // by a request, and not closed by ourselves; guarded by the same
}

// take notes a request, and gives it the youngest connection, nil if there is
// none. It has more opened if the demand asks for it.
func (h *shelf) take() *spare {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.demand.add(now, h.warm.most)
	h.unused = 0
	for h.places < h.wanted(now) && !now.Before(h.rest) {
		h.places++
		h.warm.server.work.Go(func() { h.keep(nil) })
	}
	n := len(h.kept) - 1
	if n < 0 {
		return nil
	}
	sp := h.kept[n]
	h.kept[n] = nil
	h.kept = h.kept[:n]
	sp.taken = true
	if sp.lapsed {
		h.places++ // its own is its successor's
	}
	return sp
}

// wanted is how many connections the endpoint should have now. The caller holds
// mu.
func (h *shelf) wanted(now time.Time) int {
	if h.warm.ended.Load() || h.warm.server.crowded() || h.endpoint.State() != policy.Active {
		return 0
	}
	return h.demand.want(now, h.warm.most)
}

// occupy takes a place for a session that is there already, if one is wanted.
func (h *shelf) occupy() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.places >= h.wanted(time.Now()) {
		return false
	}
	h.places++
	return true
}

// vacate gives a place up.
func (h *shelf) vacate() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.places--
}

// needed reports whether a connection should be opened for a place.
func (h *shelf) needed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	return h.places <= h.wanted(now) && !now.Before(h.rest)
}

// put lays a session on the shelf; it is nil if the session is not wanted.
func (h *shelf) put(session *upstream.Session) *spare {
	life, rtt := h.warm.draw(), h.endpoint.RTT()
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.places > h.wanted(now) {
		return nil
	}
	sp := &spare{shelf: h, session: session, born: now}
	sp.due = now.Add(h.lifetime.draw(now, rtt, life))
	h.kept = append(h.kept, sp)
	return sp
}

// remove takes sp off the shelf. It is false if it is not there any more: then
// it is somebody else's.
func (h *shelf) remove(sp *spare) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.removeLocked(sp)
}

func (h *shelf) removeLocked(sp *spare) bool {
	n := slices.Index(h.kept, sp)
	if n < 0 {
		return false
	}
	h.kept = slices.Delete(h.kept, n, n+1)
	return true
}

// clear closes what has been on the shelf since before a given time. Their
// keepers see to what follows.
func (h *shelf) clear(before time.Time) {
	h.mu.Lock()
	n := 0
	for n < len(h.kept) && h.kept[n].born.Before(before) {
		n++
	}
	old := slices.Clone(h.kept[:n])
	h.kept = slices.Delete(h.kept, 0, n)
	h.mu.Unlock()
	for _, sp := range old {
		_ = sp.session.Close()
	}
}

// empty closes all that is on the shelf.
func (h *shelf) empty() { h.clear(time.Now().Add(time.Hour)) }

// limited notes that the endpoint has ended a connection of its own accord.
func (h *shelf) limited(age time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if !h.lifetime.learn(age, now) {
		h.postpone(now)
	}
}

// broken notes that a connection has failed or could not be had.
func (h *shelf) broken() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.postpone(time.Now())
}

// postpone begins a pause, or lengthens it. The caller holds mu.
func (h *shelf) postpone(now time.Time) {
	if now.Before(h.rest) {
		return // one trouble, seen on several connections
	}
	h.pause = min(max(2*h.pause, restMin), restMax)
	h.rest = now.Add(h.pause)
}

// served notes that a request has been granted on a warm connection.
func (h *shelf) served() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pause = 0
}

// disappointed notes that a connection was dead when it was taken at the given
// time. Others that were there then are given to nobody.
func (h *shelf) disappointed(sp *spare, asked time.Time, how policy.Outcome) {
	if how == policy.Closed {
		h.limited(time.Since(sp.born))
	} else {
		h.broken()
	}
	h.clear(asked)
}
