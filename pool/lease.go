package pool

import (
	"math"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Lease is an ordered choice of endpoints for one request of one client. The
// zero Lease offers nothing. It is not safe for concurrent use.
type Lease struct {
	pool   *Pool
	view   *view
	query  policy.Query
	known  *move
	tried  [4]uint64 // bit per slot; 256 slots at most
	offers int
	first  *Endpoint
	rest   int
	// second is true if the caller has excluded any: such a lease is a second
	// try, and says nothing of where the client belongs.
	second bool
	// excluded are endpoints beyond the slots that Next must not offer.
	excluded [4]*Endpoint
}

// Lease takes a lease for a client, named as the caller likes. It reads the
// published view and takes no lock.
func (p *Pool) Lease(client string) Lease {
	h := policy.Hash(client)
	l := Lease{pool: p, view: p.view.Load(), known: p.moves.load(h)}
	turn := p.turns.Add(1) - 1
	l.query = policy.Query{Client: h, Turn: turn, Draw: policy.Mix(p.config.Seed ^ turn)}
	if l.known != nil {
		l.query.Epoch = l.known.epoch
	}
	if p.config.RotateEvery > 0 {
		l.query.Epoch += p.epoch(h, time.Now())
	}
	return l
}

// Next is the next endpoint to try, never the same twice: active endpoints in
// the selector's order, the second of them in another prefix and with another
// provider than the first where there is one; then, rather than refuse the
// client, suspects and the dead, the least bad first. It is nil at the end.
func (l *Lease) Next() *Endpoint {
	if l.view == nil {
		return nil
	}
	if n := l.choose(); n >= 0 {
		l.tried[n/64] |= 1 << (n % 64)
		e := l.view.slots[n].endpoint
		if l.offers == 0 {
			l.first = e
			if !l.second {
				l.remember(n)
			}
		}
		l.offers++
		return e
	}
	for l.rest < len(l.view.rest) {
		e := l.view.rest[l.rest]
		l.rest++
		if !l.offered(e) {
			l.offers++
			return e
		}
	}
	return nil
}

// Exclude takes e out of what Next will offer. Of endpoints that are not active
// it remembers the first four.
func (l *Lease) Exclude(e *Endpoint) {
	if l.view == nil || e == nil {
		return
	}
	l.second = true
	for n := range l.view.slots {
		if l.view.slots[n].endpoint == e {
			l.tried[n/64] |= 1 << (n % 64)
			return
		}
	}
	for n := range l.excluded {
		if l.excluded[n] == nil {
			l.excluded[n] = e
			return
		}
	}
}

func (l *Lease) offered(e *Endpoint) bool {
	if slices.Contains(l.excluded[:], e) {
		return true
	}
	for n := range l.view.slots {
		if l.view.slots[n].endpoint == e {
			return l.tried[n/64]&(1<<(n%64)) != 0
		}
	}
	return false
}

// choose is the slot to offer next, -1 if no active one is left.
func (l *Lease) choose() int {
	if l.offers == 0 {
		if n := l.kept(); n >= 0 {
			return n
		}
	}
	best, bestClass, bestScore := -1, -1, math.Inf(-1)
	for n := range l.view.slots {
		s := &l.view.slots[n]
		if !s.active || l.tried[n/64]&(1<<(n%64)) != 0 {
			continue
		}
		class := 0
		if l.offers == 1 && l.first != nil {
			class = distance(l.first, s.endpoint)
		}
		if class < bestClass {
			continue
		}
		score := l.pool.selector.Score(l.query, s.candidate)
		if class > bestClass || score > bestScore {
			best, bestClass, bestScore = n, class, score
		}
	}
	return best
}

// distance is how little two endpoints share: 2 if neither prefix nor provider,
// 1 if not the prefix, 0 else. An unknown provider is taken to be another.
func distance(a, b *Endpoint) int {
	if a.prefix == b.prefix && a.prefix.IsValid() {
		return 0
	}
	if a.spec.Provider == b.spec.Provider && a.spec.Provider != "" {
		return 1
	}
	return 2
}

// kept is the slot to which a sticky client was moved while its home was gone:
// it stays there until its next rotation, though home has been replaced. If the
// endpoint at home was only in doubt and has been cleared, it goes home.
func (l *Lease) kept() int {
	k := l.known
	if l.pool.selector != policy.Sticky || k == nil || k.slot < 0 || k.order != l.query.Epoch {
		return -1
	}
	if !l.view.slots[k.slot].active || l.tried[k.slot/64]&(1<<(k.slot%64)) != 0 {
		return -1
	}
	home := &l.view.slots[k.home]
	if home.active && home.generation == k.generation {
		return -1
	}
	return k.slot
}

// remember notes where the client is sent first, and whether that is not home.
func (l *Lease) remember(n int) {
	if s := l.pool.selector; s != policy.Sticky && s != policy.LeastLatency {
		return // the others send each request somewhere else
	}
	e := l.view.slots[n].endpoint
	if l.known != nil && l.known.last == e && l.known.order == l.query.Epoch {
		return
	}
	next := &move{client: l.query.Client, order: l.query.Epoch, slot: -1, last: e}
	if l.known != nil {
		next.epoch = l.known.epoch
		if l.known.last != nil && l.known.last != e {
			l.pool.countMove()
		}
	}
	if l.pool.selector == policy.Sticky {
		if home := l.home(); home != n {
			next.slot, next.home, next.generation = n, home, l.view.slots[home].generation
		}
	}
	l.pool.moves.at(l.query.Client).Store(next)
}

// home is the slot that a sticky client would have if all were active.
func (l *Lease) home() int {
	best, bestScore := 0, math.Inf(-1)
	for n := range l.view.slots {
		if score := l.pool.selector.Score(l.query, l.view.slots[n].candidate); score > bestScore {
			best, bestScore = n, score
		}
	}
	return best
}
