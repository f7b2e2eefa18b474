package pool

import (
	"cmp"
	"slices"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// lastResort is how many endpoints beyond the active ones a lease offers when
// nothing better is left.
const lastResort = 64

// bad is how little hope there is in an endpoint.
type bad uint8

const (
	notBad     bad = iota // active, not in use, or not there any more
	inDoubt               // suspects
	onTrial               // endpoints on probation
	gone                  // the dead
	frozen                // of the dead, those that carry a little
	unworkable            // of the dead, those that cannot work at all
)

func badness(r policy.Record) bad {
	switch r.State {
	case policy.Suspect:
		return inDoubt
	case policy.Probation:
		return onTrial
	case policy.Dead:
		switch r.Verdict {
		case policy.Frozen:
			return frozen
		case policy.NoEgress, policy.Misconfigured:
			return unworkable
		default:
			return gone
		}
	default:
		return notBad
	}
}

// judge keeps the list of bad endpoints. The lock is held.
func (p *Pool) judge(e *Endpoint, b bad) {
	switch {
	case e.bad == notBad && b != notBad:
		e.badAt = len(p.bad)
		p.bad = append(p.bad, e)
	case e.bad != notBad && b == notBad:
		last := p.bad[len(p.bad)-1]
		p.bad[e.badAt], last.badAt = last, e.badAt
		p.bad = p.bad[:len(p.bad)-1]
	}
	e.bad = b
}

// leastBad lists suspects, then endpoints on probation, then dead ones: those
// that answered last first. The lock is held.
func (p *Pool) leastBad() []*Endpoint {
	type hope struct {
		e    *Endpoint
		seen int64
	}
	less := func(a, b hope) int {
		return cmp.Or(cmp.Compare(a.e.bad, b.e.bad), cmp.Compare(b.seen, a.seen), cmp.Compare(a.e.index, b.e.index))
	}
	least := make([]hope, 0, min(len(p.bad), lastResort)+1)
	for _, e := range p.bad {
		h := hope{e, e.seen.Load()}
		if len(least) == lastResort && less(h, least[lastResort-1]) > 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(least, h, less)
		least = slices.Insert(least, at, h)
		least = least[:min(len(least), lastResort)]
	}
	rest := make([]*Endpoint, len(least))
	for n := range least {
		rest[n] = least[n].e
	}
	return rest
}
