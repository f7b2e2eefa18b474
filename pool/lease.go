package pool

import (
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Lease is an ordered choice of endpoints for one request of one client. The
// zero Lease offers nothing. It is not safe for concurrent use.
type Lease struct {
	pool  *Pool
	view  *view
	query policy.Query
	known move // the zero move if nothing is known of the client
	// order is the first slots in the selector's order, of which ranked are
	// known; zero before the first choice.
	order  ranked
	ranked int
	tried  policy.SlotSet
	offers int
	first  int // the slot that was offered first
	rest   int
	// second is true if the caller has excluded any: such a lease is a second
	// try, and says nothing of where the client belongs.
	second bool
	// excluded are endpoints beyond the slots that Next must not offer.
	excluded [4]*Endpoint
}

// Lease takes a lease for a client, named as the caller likes. It reads the
// published view and takes no lock of the pool's.
func (p *Pool) Lease(client string) Lease {
	l := Lease{pool: p, view: p.view.Load(), first: -1}
	l.query.Client = policy.Hash(client)
	if !p.keeps {
		l.query.Turn = p.turns.Add(1) - 1
		l.query.Draw = policy.Mix(p.config.Seed ^ l.query.Turn)
	}
	if p.moves.load(l.query.Client, &l.known) {
		l.query.Epoch = uint32(l.known.epoch)
	}
	if p.config.RotateEvery > 0 {
		l.query.Epoch += p.epoch(l.query.Client, time.Now())
	}
	return l
}

// Next is the next endpoint to try, never the same twice: active endpoints in
// the selector's order, the second of them in another prefix and with another
// provider than the first where there is one; those whose prefix is suspected
// ([policy.Suspicion]) after all others; then, rather than refuse the client,
// suspects and the dead, the least bad first. It is nil at the end.
//
// A client whose own endpoint is in doubt is not sent to a neighbour of it if
// there is anybody else: they may share its fate.
func (l *Lease) Next() *Endpoint {
	if l.view == nil {
		return nil
	}
	if n := l.choose(); n >= 0 {
		l.tried.Add(n)
		if l.offers == 0 {
			l.first = n
			l.remember(n)
		}
		l.offers++
		return l.view.holders[n]
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
	if n := l.view.slot(e); n >= 0 {
		l.tried.Add(n)
		return
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
	n := l.view.slot(e)
	return n >= 0 && l.tried.Has(n)
}

// choose is the slot to offer next, -1 if no active one is left.
func (l *Lease) choose() int {
	left := l.view.active.Without(l.tried)
	if left.Empty() {
		return -1
	}
	if calm := left.Without(l.view.burning); !calm.Empty() {
		left = calm
	}
	switch {
	case l.offers == 0:
		if n := l.kept(left); n >= 0 {
			return n
		}
	case l.offers == 1 && l.first >= 0:
		left = l.view.near[l.first].farthest(left)
	}
	if l.ranked == 0 {
		l.rank(left)
	}
	for _, n := range l.order[:l.ranked] {
		if left.Has(int(n)) {
			return int(n)
		}
		if l.offers == 0 && !l.view.active.Has(int(n)) {
			if far := left.Without(l.view.near[n].prefix); !far.Empty() {
				left = far
			}
		}
	}
	var best [1]uint8
	policy.Rank(l.pool.selector, l.query, l.view.candidates, left, best[:])
	return int(best[0])
}

// rank finds the first slots in the selector's order. Where the order hangs on
// the client, and not on which of the slots are active at the moment, it is
// remembered.
func (l *Lease) rank(left policy.SlotSet) {
	switch v := l.view; {
	case !l.pool.keeps:
		l.ranked = policy.Rank(l.pool.selector, l.query, v.candidates, left, l.order[:])
	case l.isRanked():
		l.order, l.ranked = l.known.ranked, min(len(v.holders), policy.MaxRank)
	default:
		l.ranked = policy.Rank(l.pool.selector, l.query, v.candidates, v.all, l.order[:])
	}
}

// isRanked says whether the order that is known of the client holds. A ranking
// of 0 was never published.
func (l *Lease) isRanked() bool {
	return l.known.ranking == l.view.ranking && l.known.order == l.query.Epoch
}

// kept is the slot to which a sticky client was moved while its home was gone:
// it stays there until its next rotation, though home has been replaced. If the
// endpoint at home was only in doubt and has been cleared, it goes home.
func (l *Lease) kept(left policy.SlotSet) int {
	k := &l.known
	if k.slot == k.home || k.order != l.query.Epoch || l.pool.selector != policy.Sticky || !left.Has(int(k.slot)) {
		return -1
	}
	if l.view.active.Has(int(k.home)) && uint16(l.view.generations[k.home]) == k.generation {
		return -1
	}
	return int(k.slot)
}

// remember notes where the client is sent first, whether that is not home, and
// its order of slots.
func (l *Lease) remember(n int) {
	if !l.pool.keeps {
		return // each request is sent somewhere else
	}
	last := uint32(l.view.holders[n].index) + 1
	sent := l.known.last == last && l.known.order == l.query.Epoch
	if l.isRanked() && (sent || l.second) {
		return
	}
	l.rank(policy.SlotSet{})
	c := l.pool.moves.change(l.query.Client)
	defer c.end()
	if c.epoch != l.known.epoch {
		return // rotated meanwhile
	}
	if c.order != l.query.Epoch {
		c.slot = c.home
	}
	c.ranked, c.ranking, c.order = l.order, l.view.ranking, l.query.Epoch
	if !l.second && !sent {
		if c.last != 0 && c.last != last {
			l.pool.countMove()
		}
		c.last, c.slot, c.home = last, uint8(n), uint8(n)
		if l.pool.selector == policy.Sticky {
			c.home = l.order[0]
			c.generation = uint16(l.view.generations[c.home])
		}
	}
	c.keep()
}
