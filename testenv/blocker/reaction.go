package blocker

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Reaction is a strategy that lists the address of each flow that looks wrong,
// but takes its time: as a blocker does who reads what a program ships with, and
// gets round to it days later. What it comes across together it lists together.
type Reaction struct {
	// Wanted is the look that is hunted.
	Wanted Look
	// Attention is the share of flows that it looks at, 0 to 1, drawn for each.
	// Zero means all.
	Attention float64
	// Delays are how long it may take from the first flow that it looks at until
	// the address is listed; one of them is drawn, each as likely as the others.
	// None means at once.
	Delays []time.Duration
	// Gather is for how long what is seen anew counts as one batch, for which
	// one delay is drawn, from the first of it on. Zero: each address by itself.
	Gather time.Duration
	// Spread is the time within which a batch is listed, each address at a
	// moment drawn by lot. Zero: at one moment.
	Spread time.Duration
	// For is how long an order stands before it is lifted; zero: for good. What
	// is seen again afterwards is found again.
	For time.Duration

	// known holds what is found, and until when; zero: for good.
	known map[netip.Addr]time.Time
	// began is when the batch began for which delay was drawn.
	began time.Time
	delay time.Duration
}

var _ Strategy = Reaction{}

// Step implements [Strategy]. Its orders bear the dates at which the addresses
// are to be listed, which are yet to come, and are given once.
func (r Reaction) Step(seen []Observation, now time.Time, draws *rand.Rand) (Strategy, []Change) {
	if len(seen) == 0 {
		return r, nil
	}
	r.known = maps.Clone(r.known)
	if r.known == nil {
		r.known = make(map[netip.Addr]time.Time)
	}
	maps.DeleteFunc(r.known, func(_ netip.Addr, until time.Time) bool {
		return !until.IsZero() && until.Before(now) && until.Before(seen[0].At)
	})
	var orders []Change
	for _, o := range seen {
		if o.Look != r.Wanted || r.Attention > 0 && draws.Float64() >= r.Attention {
			continue
		}
		a := o.Server.Addr().Unmap()
		if until, found := r.known[a]; found && (until.IsZero() || o.At.Before(until)) {
			continue
		}
		if r.began.IsZero() || o.At.Sub(r.began) >= r.Gather {
			r.began, r.delay = o.At, 0
			if len(r.Delays) > 0 {
				r.delay = r.Delays[draws.IntN(len(r.Delays))]
			}
		}
		at := r.began.Add(r.delay)
		if r.Spread > 0 {
			at = at.Add(time.Duration(draws.Int64N(int64(r.Spread))))
		}
		if at.Before(o.At) {
			at = o.At
		}
		own := []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}
		orders = append(orders, Change{At: at, Prefixes: own})
		r.known[a] = time.Time{}
		if r.For > 0 {
			r.known[a] = at.Add(r.For)
			orders = append(orders, Change{At: at.Add(r.For), Prefixes: own, Lift: true})
		}
	}
	slices.SortStableFunc(orders, func(a, b Change) int { return a.At.Compare(b.At) })
	return r, orders
}
