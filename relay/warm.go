package relay

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// warm keeps connections to active endpoints that are open and negotiated, so
// that a request has its first byte after two round trips. Each endpoint that
// clients ask for has a shelf of them; one that nobody asks for has none.
type warm struct {
	server  *Server
	most    int      // on each shelf; 0: none are kept
	shelves sync.Map // *pool.Endpoint to *shelf
	ended   atomic.Bool

	mu     sync.Mutex
	random *rand.Rand
}

func newWarm(s *Server, most int, seed uint64) *warm {
	return &warm{server: s, most: max(most, 0), random: rand.New(rand.NewPCG(seed, 0x7761726d))}
}

// take counts a request for an endpoint, and gives it a warm connection if there
// is one. The connection's place on the shelf goes with it, to be filled again
// with give or given up with shelf.vacate.
func (w *warm) take(ep *pool.Endpoint) *spare {
	if w.most == 0 || w.ended.Load() || ep.State() != policy.Active {
		return nil
	}
	stats := &w.server.stats
	if sp := w.shelf(ep).take(); sp != nil {
		stats.warmHits.Add(1)
		return sp
	}
	stats.warmMisses.Add(1)
	return nil
}

// give takes a session that its race does not need, and closes it unless it is
// wanted on the shelf. The place is the one that was taken for it, nil for none.
func (w *warm) give(ep *pool.Endpoint, session *upstream.Session, place *shelf) {
	if place == nil {
		if h, ok := w.shelves.Load(ep); ok && h.(*shelf).occupy() {
			place = h.(*shelf)
		}
	}
	if place == nil {
		_ = session.Close()
		return
	}
	w.server.work.Go(func() { place.keep(session) })
}

func (w *warm) shelf(ep *pool.Endpoint) *shelf {
	if h, ok := w.shelves.Load(ep); ok {
		return h.(*shelf)
	}
	h, _ := w.shelves.LoadOrStore(ep, &shelf{warm: w, endpoint: ep})
	return h.(*shelf)
}

// heed follows the pool: connections to an endpoint that is lost are closed with
// the verdict, and none is older than the end of an outage.
func (w *warm) heed(ev pool.Event) {
	switch ev.Kind {
	case pool.Changed:
		if !keepable(ev.Endpoint) {
			w.drop(ev.Endpoint)
		}
	case pool.OutageEnded:
		w.each(func(h *shelf) { h.clear(ev.At) })
	case pool.Missed:
		w.each(func(h *shelf) {
			if !keepable(h.endpoint) {
				w.drop(h.endpoint)
			}
		})
	default:
	}
}

// keepable reports whether connections to ep may stay open. Those to a suspect
// do, unused, because it may be cleared.
func keepable(ep *pool.Endpoint) bool {
	s := ep.State()
	return s == policy.Active || s == policy.Suspect
}

func (w *warm) drop(ep *pool.Endpoint) {
	if h, ok := w.shelves.Load(ep); ok {
		h.(*shelf).empty()
		if ep.State() == policy.Retired {
			w.shelves.Delete(ep)
		}
	}
}

// end closes all of them, and no more will be kept.
func (w *warm) end() {
	w.ended.Store(true)
	w.each((*shelf).empty)
}

func (w *warm) each(do func(*shelf)) {
	w.shelves.Range(func(_, h any) bool {
		do(h.(*shelf))
		return true
	})
}

// draw is a random number from 0 to 1.
func (w *warm) draw() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.Float64()
}
