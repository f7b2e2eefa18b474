package relay

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

const (
	// The pause between two shared dials to each endpoint, drawn anew each time.
	pauseMin, pauseMax = 250 * time.Millisecond, 500 * time.Millisecond
	// In each pause the best endpoints of the lease are dialled on behalf of those
	// who wait, and some of the others in turn: whichever returns is found.
	sharedBest, sharedOthers = 8, 8
)

// answer tells all who wait which endpoint has answered, by closing done.
type answer struct {
	done     chan struct{}
	endpoint *pool.Endpoint
}

// room is where requests wait that have tried everything. While anybody is in
// it, one goroutine dials the endpoints again and again on behalf of all; as soon
// as any of them answers, all go on with that one. However many wait, an endpoint
// that does not answer sees one new dial per pause.
type room struct {
	server *Server

	mu      sync.Mutex
	inside  int
	next    *answer
	running bool
	wake    chan struct{} // closed when the last one leaves
	random  *rand.Rand    // guarded by mu
}

func newRoom(s *Server, seed uint64) *room {
	return &room{
		server: s,
		next:   &answer{done: make(chan struct{})},
		random: rand.New(rand.NewPCG(seed, 0x77616974)),
	}
}

// join waits for the next answer. Each join needs one leave.
func (r *room) join() *answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside++
	if !r.running {
		r.running = true
		r.wake = make(chan struct{})
		wake := r.wake
		r.server.work.Go(func() { r.run(wake) })
	}
	return r.next
}

// leave ends a join.
func (r *room) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside--
	if r.inside == 0 && r.running {
		r.running = false
		close(r.wake)
	}
}

// announce sends everybody on.
func (r *room) announce(ep *pool.Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next.endpoint = ep
	close(r.next.done)
	r.next = &answer{done: make(chan struct{})}
}

// run dials until nobody waits any more.
func (r *room) run(wake <-chan struct{}) {
	var dials sync.WaitGroup
	defer dials.Wait()
	ctx, cancel := context.WithCancel(r.server.ctx)
	defer cancel()
	var turns turns
	for {
		for _, ep := range turns.next(r.server.config.Pool.Lease("")) {
			dials.Go(func() { r.dial(ctx, ep) })
		}
		timer := time.NewTimer(r.pause())
		select {
		case <-timer.C:
		case <-wake:
			timer.Stop()
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// turns remembers when the room has dialled which endpoint.
type turns struct {
	now  int
	last map[*pool.Endpoint]int
}

// next chooses the first sharedBest endpoints of the lease, and those sharedOthers
// of the rest whose last turn is the longest ago.
func (t *turns) next(lease pool.Lease) []*pool.Endpoint {
	var all []*pool.Endpoint
	for ep := lease.Next(); ep != nil; ep = lease.Next() {
		all = append(all, ep)
	}
	if t.last == nil {
		t.last = make(map[*pool.Endpoint]int)
	}
	t.now++
	if len(all) > sharedBest {
		slices.SortStableFunc(all[sharedBest:], func(a, b *pool.Endpoint) int { return cmp.Compare(t.last[a], t.last[b]) })
		all = all[:min(len(all), sharedBest+sharedOthers)]
	}
	for _, ep := range all {
		t.last[ep] = t.now
	}
	return all
}

// pause draws the time until the next dials. The goroutine of an earlier wait
// may not have ended yet, hence the lock.
func (r *room) pause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return pauseMin + time.Duration(r.random.Int64N(int64(pauseMax-pauseMin)))
}

// dial asks one endpoint for its first two phases. Dials overlap: each pause
// starts a new one although the last may still run, because a dial begun during
// an outage only notices the network's return when the kernel sends its next
// SYN, which may be a second away.
func (r *room) dial(ctx context.Context, ep *pool.Endpoint) {
	if r.server.greets(ctx, ep) && ep.State() != policy.Retired {
		r.announce(ep)
	}
}
