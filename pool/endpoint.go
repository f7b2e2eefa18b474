package pool

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Endpoint is a member of a [Pool]. There is one per endpoint, comparable by
// pointer; one that was retired stays so, and if the endpoint is added again, that
// is another. All methods are safe for concurrent use.
type Endpoint struct {
	pool   *Pool
	index  int
	spec   policy.Spec
	name   string
	prefix netip.Prefix

	state atomic.Uint32
	slot  atomic.Int32 // the slot that it was last published in
	// listens is true while the pool needs to hear of answers at once: the
	// endpoint is in doubt, or not active.
	listens atomic.Bool
	// answered and seen are when the latest answered greeting was asked and
	// answered, in nanoseconds of the pool's life.
	answered, seen    atomic.Int64
	connect, greeting samples
	ranked            atomic.Int64
	streams           atomic.Int64

	// waiting is true while it is in the pool's inbox, above another that has
	// answered.
	waiting atomic.Bool
	below   *Endpoint

	// For whoever holds the pool's lock: the latest answer that the group knows
	// of, how bad it is and its place among the bad, and whether it is asked about
	// at the end of this step.
	synced   int64
	bad      bad
	badAt    int
	regarded bool
}

// Spec is what was known of the endpoint beforehand, credentials included.
func (e *Endpoint) Spec() policy.Spec { return e.spec }

// Name is the endpoint's host and port.
func (e *Endpoint) Name() string { return e.name }

// State is where it stands now.
func (e *Endpoint) State() policy.State { return policy.State(e.state.Load()) }

// Streams counts the streams open through it. Whoever opens one adds 1, and
// takes it off again at the end.
func (e *Endpoint) Streams() *atomic.Int64 { return &e.streams }

// RTT is the shortest TCP handshake of the last 32, zero if none is known.
func (e *Endpoint) RTT() time.Duration { return e.connect.least() }

// Bounds of a hedge delay.
const (
	hedgeFloor   = 50 * time.Millisecond
	hedgeCeiling = 250 * time.Millisecond
	hedgeNear    = 100 * time.Millisecond // up to this RTT the ceiling holds
)

// HedgeDelay is how long to wait for a phase before another endpoint is tried
// beside this one: the phase's 95th percentile here plus half a round trip, but
// at least 50 ms; at most 250 ms as long as the round trip takes 100 ms or
// less, and 2.5 round trips above. Nothing known: 250 ms. (The idea of racing
// after a delay is that of RFC 8305, section 5.)
func (e *Endpoint) HedgeDelay(p policy.Phase) time.Duration {
	s := &e.connect
	if p == policy.Greeting {
		s = &e.greeting
	}
	p95 := s.p95()
	rtt := e.RTT()
	if p95 == 0 {
		if rtt == 0 {
			return hedgeCeiling
		}
		p95 = rtt
	}
	ceiling := hedgeCeiling
	if rtt > hedgeNear {
		ceiling = rtt * 5 / 2
	}
	return min(p95+max(hedgeFloor, rtt/2), ceiling)
}

// Report takes what was seen of the endpoint, and never waits for what the pool
// is doing. An answer costs a few atomic stores; trouble is queued for Run, and
// [Endpoint.State] follows when Run has looked at it, which is at once.
func (e *Endpoint) Report(ev policy.Evidence) {
	if ev.Outcome == policy.None || ev.Outcome == policy.Local {
		return
	}
	if ev.Outcome == policy.Answered && !e.note(ev) {
		return
	}
	e.pool.report(e, ev)
}

// note keeps an answer beside the row, and says whether the pool must hear of
// it now rather than at its next look.
func (e *Endpoint) note(ev policy.Evidence) bool {
	switch ev.Phase {
	case policy.Connect:
		e.connect.add(ev.Took)
		return false
	case policy.Greeting:
		e.greeting.add(ev.Took)
		raise(&e.seen, int64(ev.At.Sub(e.pool.born)))
		raise(&e.answered, int64(ev.Asked.Sub(e.pool.born)))
		e.pool.inbox.push(e)
	case policy.Request: // a grant counts where refusals do
	default:
		return false
	}
	return e.listens.Load() || e.pool.listens.Load()
}

// rerank has the round-trip time that selectors see follow the measured one,
// and says whether that has changed. It does so only by more than a quarter and
// 10 ms, so that equals do not trade places.
func (e *Endpoint) rerank() bool {
	old, now := time.Duration(e.ranked.Load()), e.RTT()
	if d := (now - old).Abs(); now == old || old != 0 && (d <= old/4 || d <= 10*time.Millisecond) {
		return false
	}
	e.ranked.Store(int64(now))
	return true
}

func raise(a *atomic.Int64, n int64) {
	for {
		old := a.Load()
		if n <= old || a.CompareAndSwap(old, n) {
			return
		}
	}
}
