package blocker

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Strategy is what writes a registry. It is a value: Step returns what becomes
// of it, and leaves the one that was asked as it was, so that a strategy can be
// asked twice and answers the same.
type Strategy interface {
	// Step takes what was observed since the last step, the time, and a source
	// for what is decided by lot. It returns the strategy to ask next time, and
	// orders for the registry, with their dates.
	Step(seen []Observation, now time.Time, draws *rand.Rand) (Strategy, []Change)
}

// Script is a strategy that gives dated orders, each when its time has come,
// whatever it sees. The orders must be sorted by their dates.
type Script []Change

var _ Strategy = Script(nil)

// Step implements [Strategy].
func (s Script) Step(_ []Observation, now time.Time, _ *rand.Rand) (Strategy, []Change) {
	n := 0
	for n < len(s) && !s[n].At.After(now) {
		n++
	}
	return s[n:], slices.Clone(s[:n])
}

// Level is a step of an [Escalation]: so many addresses listed one by one
// within a prefix of this length, and the prefix is listed.
type Level struct {
	// Hits is how many, at least 1.
	Hits int
	// Bits is the length of the prefix for IPv4 addresses, 1 to 31.
	Bits int
}

// Escalation is a strategy that lists the addresses whose flows look wrong, and
// where they gather, the prefixes around them.
type Escalation struct {
	// Wanted is the look that is hunted.
	Wanted Look
	// Attention is the share of flows that it looks at, 0 to 1, drawn for each.
	// Zero means all.
	Attention float64
	// Levels are the ways to widen, each counted by itself.
	Levels []Level
	// Budget is how many addresses may be listed that were not hit themselves:
	// the collateral damage that it dares to do. A prefix that would exceed it
	// is not listed. Zero means none, so that only addresses are.
	Budget uint64
	// For is how long an order stands before it is lifted; zero: for good.
	For time.Duration

	listed *PrefixSet
	hits   map[netip.Prefix]int
	found  uint64
	lifts  []Change
}

var _ Strategy = Escalation{}

// Step implements [Strategy].
func (e Escalation) Step(seen []Observation, now time.Time, draws *rand.Rand) (Strategy, []Change) {
	e.hits = maps.Clone(e.hits)
	if e.hits == nil {
		e.hits = make(map[netip.Prefix]int)
	}
	orders := e.lift(now)
	var fresh []netip.Prefix
	for _, o := range seen {
		if o.Look != e.Wanted || e.Attention > 0 && draws.Float64() >= e.Attention {
			continue
		}
		fresh = append(fresh, e.strike(o.Server.Addr().Unmap())...)
	}
	if len(fresh) > 0 {
		orders = append(orders, Change{At: now, Prefixes: fresh})
		if e.For > 0 {
			e.lifts = append(slices.Clip(e.lifts), Change{At: now.Add(e.For), Prefixes: fresh, Lift: true})
		}
	}
	return e, orders
}

// Collateral is how many addresses are listed that were not hit themselves.
func (e Escalation) Collateral() uint64 { return e.collateral(e.listed) }

func (e *Escalation) collateral(s *PrefixSet) uint64 {
	if n := s.Addresses(); n > e.found {
		return n - e.found
	}
	return 0
}

// strike lists an address, and what it is the last straw for.
func (e *Escalation) strike(a netip.Addr) (fresh []netip.Prefix) {
	if e.listed.Contains(a) {
		return nil
	}
	own := netip.PrefixFrom(a, a.BitLen())
	e.listed = e.listed.With(own)
	e.found++
	fresh = append(fresh, own)
	for _, l := range e.Levels {
		p, err := a.Prefix(l.Bits)
		if err != nil || !a.Is4() {
			continue
		}
		e.hits[p]++
		if e.hits[p] < l.Hits || e.listed.Has(p) {
			continue
		}
		if wider := e.listed.With(p); e.collateral(wider) <= e.Budget {
			e.listed = wider
			fresh = append(fresh, p)
		}
	}
	return fresh
}

// lift gives the orders whose time is over, and forgets what they covered.
func (e *Escalation) lift(now time.Time) []Change {
	n := 0
	for n < len(e.lifts) && !e.lifts[n].At.After(now) {
		for _, p := range e.lifts[n].Prefixes {
			e.listed = e.listed.Without(p)
			if p.IsSingleIP() {
				e.found--
			}
			for _, l := range e.Levels {
				if q, err := p.Addr().Prefix(l.Bits); err == nil && p.IsSingleIP() && e.hits[q] > 0 {
					e.hits[q]--
				}
			}
		}
		n++
	}
	due := slices.Clone(e.lifts[:n])
	e.lifts = e.lifts[n:]
	return due
}
