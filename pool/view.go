package pool

import (
	"cmp"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// lastResort is how many endpoints beyond the active ones a lease offers when
// nothing better is left.
const lastResort = 64

// view is what leases read: an immutable picture of the pool, published at each
// change of state.
type view struct {
	slots []slot
	total int // sum of the shares of the active ones
	// rest are the suspects, then the dead, the least bad first.
	rest []*Endpoint
	// changed is closed when this view is no longer the published one.
	changed chan struct{}
}

func newView(slots int) *view {
	return &view{slots: make([]slot, slots), changed: make(chan struct{})}
}

type slot struct {
	endpoint *Endpoint // nil if the slot is free
	active   bool
	// generation counts the endpoints that this slot has had.
	generation uint32
	candidate  policy.Candidate
}

// rerank says whether the order of the endpoints in slots may have changed by
// their round-trip times. The lock is held.
func (p *Pool) rerank() bool {
	changed := false
	for _, i := range p.group.Slots() {
		if i >= 0 && p.endpoints[i].rerank() {
			changed = true
		}
	}
	return changed
}

// publish makes a new view from the group and the rows. The lock is held.
func (p *Pool) publish() {
	old := p.view.Load()
	v := newView(len(p.group.Slots()))
	for n, i := range p.group.Slots() {
		s := &v.slots[n]
		s.generation = old.slots[n].generation
		s.candidate.Slot, s.candidate.Share = n, 1
		if i < 0 {
			continue
		}
		s.endpoint = p.endpoints[i]
		if old.slots[n].endpoint != s.endpoint {
			s.generation++
		}
		s.active = s.endpoint.State() == policy.Active
		s.candidate.Share = s.endpoint.spec.Share()
		s.candidate.RTT = time.Duration(s.endpoint.ranked.Load())
		if s.active {
			s.candidate.Before = v.total
			v.total += s.candidate.Share
		}
	}
	for n := range v.slots {
		v.slots[n].candidate.Total = max(v.total, 1)
	}
	v.rest = p.leastBad()
	p.view.Store(v)
	close(old.changed)
}

// leastBad lists suspects, then endpoints on probation, then dead ones: those
// that answered last first; those that cannot work at all are left out.
func (p *Pool) leastBad() []*Endpoint {
	type bad struct {
		e     *Endpoint
		class int
		seen  int64
	}
	var all []bad
	for i, e := range p.endpoints {
		r := p.group.Record(i)
		b := bad{e: e, seen: e.seen.Load()}
		switch r.State {
		case policy.Suspect:
		case policy.Probation:
			b.class = 1
		case policy.Dead:
			b.class = 2
			if r.Verdict == policy.Frozen {
				b.class = 3 // it carries a little
			}
			if r.Verdict == policy.NoEgress || r.Verdict == policy.Misconfigured {
				b.class = 4
			}
		default:
			continue
		}
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b bad) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(b.seen, a.seen))
	})
	rest := make([]*Endpoint, 0, min(len(all), lastResort))
	for _, b := range all[:min(len(all), lastResort)] {
		rest = append(rest, b.e)
	}
	return rest
}

// Changed is closed when the published view next changes: when an endpoint
// changes its state, or its round-trip time for good.
func (p *Pool) Changed() <-chan struct{} { return p.view.Load().changed }

// epoch is the client's count of planned rotations: each client has its own
// moment within the interval.
func (p *Pool) epoch(client uint64, now time.Time) uint32 {
	every := uint64(p.config.RotateEvery)
	return uint32((uint64(now.UnixNano()) + client%every) / every)
}
