package relay

import (
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// watch keeps the open streams by endpoint, looks after them, and cuts those of
// an endpoint on which the pool's verdict has turned.
type watch struct {
	server *Server

	mu      sync.Mutex
	streams map[*pool.Endpoint]map[*stream]*watched
	count   int
	ticking bool
	sleepy  bool
	hurry   chan struct{} // wakes the ticker from a long pause

	list []glance               // scratch of the ticker
	said map[*pool.Endpoint]int // streams called silent in this look

	rates rates // belongs to the ticker
}

// watched is a stream's place in the watch.
type watched struct {
	added time.Time
	// spared is true for a stream that was opened through an endpoint already
	// dead, when nothing better was left: that verdict is not about it.
	spared bool
}

// glance is one stream to look at.
type glance struct {
	stream   *stream
	endpoint *pool.Endpoint
}

// add takes a stream into care.
func (w *watch) add(t *stream, ep *pool.Endpoint) {
	ep.Streams().Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams == nil {
		w.streams = make(map[*pool.Endpoint]map[*stream]*watched)
		w.hurry = make(chan struct{}, 1)
		w.said = make(map[*pool.Endpoint]int)
		w.rates = make(rates)
	}
	if w.streams[ep] == nil {
		w.streams[ep] = make(map[*stream]*watched)
	}
	w.streams[ep][t] = &watched{added: time.Now(), spared: ep.State() == policy.Dead}
	w.count++
	if !w.ticking {
		w.ticking = true
		w.server.work.Go(w.tick)
	} else if w.sleepy {
		w.sleepy = false
		select {
		case w.hurry <- struct{}{}:
		default:
		}
	}
}

// remove ends what add began. A stream that is not there, or a nil endpoint, is
// no error: moves and ends may meet.
func (w *watch) remove(t *stream, ep *pool.Endpoint) {
	w.mu.Lock()
	_, ok := w.streams[ep][t]
	if ok {
		ep.Streams().Add(-1)
		delete(w.streams[ep], t)
		if len(w.streams[ep]) == 0 {
			delete(w.streams, ep)
		}
		w.count--
	}
	w.mu.Unlock()
	if ok && t.calledSilent.Swap(false) {
		now := time.Now()
		t.tell(ep, policy.Evidence{Outcome: policy.Ended, Asked: now, At: now})
	}
}

// follow cuts on verdicts until the server ends, and then all that is left.
// Events only say at which endpoint to look: what counts is its state, so that a
// missed event, after which all are looked at, does no harm.
func (w *watch) follow() {
	events := w.server.config.Pool.Watch()
	defer events.Close()
	cut(w.allCondemned())
	for {
		ev, err := events.Next(w.server.ctx)
		if w.server.ctx.Err() != nil {
			w.endAll()
			return
		}
		if err != nil {
			<-w.server.ctx.Done() // the pool has ended before the server
			w.endAll()
			return
		}
		w.server.warm.heed(ev)
		switch {
		case ev.Kind == pool.Missed:
			cut(w.allCondemned())
		case ev.Endpoint != nil:
			cut(w.condemned(ev.Endpoint))
			if ev.To == policy.Dead && ev.From != policy.Dead {
				cut(w.olderThan(ev.Endpoint, ev.At))
			}
		}
	}
}

func cut(streams []*stream) {
	for _, t := range streams {
		t.cut()
	}
}

// endAll ends every stream, those included whose client has left already and
// that wait for an endpoint which may never speak again.
func (w *watch) endAll() {
	w.mu.Lock()
	var all []*stream
	for _, streams := range w.streams {
		for t := range streams {
			all = append(all, t)
		}
	}
	w.mu.Unlock()
	for _, t := range all {
		t.end(ErrServerClosed)
	}
}

// allCondemned is the streams of dead endpoints.
func (w *watch) allCondemned() []*stream {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []*stream
	for ep := range w.streams {
		found = w.judge(ep, found)
	}
	return found
}

// condemned is the streams of one endpoint, if it is dead.
func (w *watch) condemned(ep *pool.Endpoint) []*stream {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.judge(ep, nil)
}

// judge adds an endpoint's streams to those that were found, if it is dead. The
// lock is held.
func (w *watch) judge(ep *pool.Endpoint, found []*stream) []*stream {
	dead := ep.State() == policy.Dead
	for t, v := range w.streams[ep] {
		if !dead {
			v.spared = false
		} else if !v.spared {
			found = append(found, t)
		}
	}
	return found
}

// olderThan is the streams of an endpoint that were there at a given time.
func (w *watch) olderThan(ep *pool.Endpoint, at time.Time) []*stream {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []*stream
	for t, v := range w.streams[ep] {
		if v.added.Before(at) {
			found = append(found, t)
		}
	}
	return found
}
