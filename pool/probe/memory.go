package probe

import (
	"sync"
	"time"
)

// lately is for how long a success speaks for a target, and a refusal of the
// reserved name for its not being served. Assumption: long enough that every
// endpoint of a pool is examined within it, short enough that a target that
// has died meanwhile does not condemn many.
const lately = 10 * time.Minute

// keep is for how long an endpoint is remembered that nobody examines. A pool
// looks at what is in use every minute and at the dead every 10 minutes, so that
// only the retired and the resting are forgotten; should they come back, their
// next examination finds out anew.
const keep = time.Hour

// memory is what examinations leave for later ones. The zero value is ready to
// use. It is safe for concurrent use. It never holds more than about twice as
// many endpoints as were examined within one keep, some 100 bytes each.
type memory struct {
	mu        sync.Mutex
	endpoints map[string]trace
	prune     int // so many endpoints, and the forgotten are looked for
	targets   map[Target]*health
}

// trace is what is remembered of an endpoint.
type trace struct {
	rtt     time.Duration // the last examination's shortest handshake
	served  bool          // it has answered for the reserved name
	refused time.Time     // when it last refused that name, never having served it
	used    time.Time     // when it was last examined
}

// health is what is remembered of a target: the last successes through two
// different endpoints, so that there is one through another than any given,
// and up to three of those that have failed since the last success.
type health struct {
	good   [2]success
	failed map[string]struct{}
}

type success struct {
	through string
	at      time.Time
}

func (m *memory) trace(endpoint string) trace {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.endpoints[endpoint]
}

// touch notes that an endpoint is examined, if anything is known of it.
func (m *memory) touch(endpoint string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.endpoints[endpoint]; ok {
		e.used = now
		m.endpoints[endpoint] = e
	}
}

func (m *memory) update(endpoint string, now time.Time, f func(*trace)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.endpoints == nil {
		m.endpoints = make(map[string]trace)
	}
	e, known := m.endpoints[endpoint]
	if !known && len(m.endpoints) >= m.prune {
		m.forget(now)
	}
	f(&e)
	e.used = now
	m.endpoints[endpoint] = e
}

// forget drops those that were not examined for long. It goes through all only
// when their number has doubled since, so that it costs next to nothing each
// time. The lock is held.
func (m *memory) forget(now time.Time) {
	for name, e := range m.endpoints {
		if now.Sub(e.used) > keep {
			delete(m.endpoints, name)
		}
	}
	m.prune = max(2*len(m.endpoints), 64)
}

func (m *memory) health(t Target) *health {
	if m.targets == nil {
		m.targets = make(map[Target]*health)
	}
	h := m.targets[t]
	if h == nil {
		h = &health{failed: make(map[string]struct{})}
		m.targets[t] = h
	}
	return h
}

// well is whether the target was lately downloaded through any endpoint.
func (m *memory) well(t Target, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.health(t).good[0]
	return last.through != "" && now.Sub(last.at) <= lately
}

// succeeded notes that the target was downloaded through the endpoint.
func (m *memory) succeeded(t Target, endpoint string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.health(t)
	if h.good[0].through != endpoint {
		h.good[1] = h.good[0]
	}
	h.good[0] = success{endpoint, now}
	clear(h.failed)
}

// failed notes that it was not, and is true if that is to be held against the
// endpoint: the target has lately been well through another; or, where bytes
// had come before they stopped, it has not stopped through two others as well.
func (m *memory) failed(t Target, endpoint string, bytes bool, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.health(t)
	if len(h.failed) <= 2 {
		h.failed[endpoint] = struct{}{}
	}
	for _, s := range h.good {
		if s.through != "" && s.through != endpoint && now.Sub(s.at) <= lately {
			return true
		}
	}
	return bytes && len(h.failed) <= 2
}
