package pool

import (
	"net/netip"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// view is what leases read: an immutable picture of the pool, published at each
// change of state.
type view struct {
	// holders are the endpoints in the slots, nil for a free one, and
	// generations how many each slot has had.
	holders     []*Endpoint
	generations []uint32
	candidates  []policy.Candidate
	near        []near
	all, active policy.SlotSet
	// burning are the active ones whose neighbours were lately found blocked: they
	// come after the others, for everybody.
	burning policy.SlotSet
	// ranking changes whenever the order of a client's slots may have. It is
	// never 0 in a view that has been published.
	ranking uint16
	// rest are the suspects, then the dead, the least bad first.
	rest []*Endpoint
	// changed is closed when this view is no longer the published one.
	changed chan struct{}
}

func newView(slots int) *view {
	v := &view{
		holders:     make([]*Endpoint, slots),
		generations: make([]uint32, slots),
		candidates:  make([]policy.Candidate, slots),
		near:        make([]near, slots),
		changed:     make(chan struct{}),
	}
	for n := range v.candidates {
		v.candidates[n] = policy.Candidate{Slot: n, Share: 1}
		v.all.Add(n)
	}
	return v
}

// slot is the slot that e holds in this view, -1 if none.
func (v *view) slot(e *Endpoint) int {
	if n := int(e.slot.Load()); n >= 0 && n < len(v.holders) && v.holders[n] == e {
		return n
	}
	return slices.Index(v.holders, e) // it has come or gone since
}

// near is the active slots that share an endpoint's prefix or its provider, its
// own included if it is active. An unknown provider is taken to be another than
// any.
type near struct{ prefix, provider policy.SlotSet }

// farthest is those of the slots that share as little as possible: neither
// prefix nor provider, else not the prefix, else all.
func (n *near) farthest(left policy.SlotSet) policy.SlotSet {
	other := left.Without(n.prefix)
	if far := other.Without(n.provider); !far.Empty() {
		return far
	}
	if !other.Empty() {
		return other
	}
	return left
}

// rerank says whether the order of the endpoints in slots may have changed by
// their round-trip times, or by what is believed of their prefixes, which changes
// with time alone. The lock is held.
func (p *Pool) rerank() bool {
	changed := false
	for _, i := range p.group.Slots() {
		if i >= 0 && p.endpoints[i].rerank() {
			changed = true
		}
	}
	return changed || p.burning(time.Now()) != p.view.Load().burning
}

// burning is the slots of active endpoints whose prefixes are suspected. The lock
// is held.
func (p *Pool) burning(now time.Time) (slots policy.SlotSet) {
	for n, i := range p.group.Slots() {
		if i >= 0 && p.endpoints[i].State() == policy.Active && p.group.Suspected(i, now) {
			slots.Add(n)
		}
	}
	return slots
}

// publish makes a new view from the group and the rows. The lock is held.
func (p *Pool) publish() {
	old := p.view.Load()
	v := newView(len(p.group.Slots()))
	copy(v.generations, old.generations)
	total := 0
	for n, i := range p.group.Slots() {
		if i < 0 {
			continue
		}
		e, c := p.endpoints[i], &v.candidates[n]
		v.holders[n] = e
		e.slot.Store(int32(n))
		if old.holders[n] != e {
			v.generations[n]++
		}
		c.Share = e.spec.Share()
		c.RTT = time.Duration(e.ranked.Load())
		if e.State() == policy.Active {
			v.active.Add(n)
			c.Before = total
			total += c.Share
		}
	}
	for _, e := range old.holders {
		if e != nil && v.slot(e) < 0 {
			e.slot.Store(-1)
		}
	}
	for n := range v.candidates {
		v.candidates[n].Total = max(total, 1)
	}
	v.burning = p.burning(time.Now())
	v.neighbours()
	v.ranking = old.ranking
	if v.ranking == 0 || !p.sameOrder(old.candidates, v.candidates) {
		v.ranking = max(v.ranking+1, 1)
	}
	v.rest = p.leastBad()
	p.view.Store(v)
	close(old.changed)
}

// sameOrder says whether each client's order of the slots is the same as before,
// as far as it can be kept.
func (p *Pool) sameOrder(old, now []policy.Candidate) bool {
	return slices.EqualFunc(old, now, func(a, b policy.Candidate) bool {
		return a.Share == b.Share && (a.RTT == b.RTT || p.selector == policy.Sticky)
	})
}

// neighbours finds who is near whom.
func (v *view) neighbours() {
	prefixes := make(map[netip.Prefix]policy.SlotSet)
	providers := make(map[string]policy.SlotSet)
	for n := range v.active.All {
		e := v.holders[n]
		prefix, provider := prefixes[e.prefix], providers[e.spec.Provider]
		prefix.Add(n)
		provider.Add(n)
		prefixes[e.prefix], providers[e.spec.Provider] = prefix, provider
	}
	for n, e := range v.holders {
		if e == nil {
			continue
		}
		if e.prefix.IsValid() {
			v.near[n].prefix = prefixes[e.prefix]
		}
		if e.spec.Provider != "" {
			v.near[n].provider = providers[e.spec.Provider]
		}
	}
}

// Changed is closed when the published view next changes: when an endpoint
// changes its state, or its round-trip time for good, or what is believed of its
// prefix.
func (p *Pool) Changed() <-chan struct{} { return p.view.Load().changed }

// epoch is the client's count of planned rotations: each client has its own
// moment within the interval.
func (p *Pool) epoch(client uint64, now time.Time) uint32 {
	every := uint64(p.config.RotateEvery)
	return uint32((uint64(now.UnixNano()) + client%every) / every)
}
