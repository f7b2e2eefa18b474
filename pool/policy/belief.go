package policy

import (
	"math"
	"net/netip"
	"time"
)

// Belief is how likely it is that addresses are interfered with, by what was
// concluded of their neighbours. The zero value knows of nobody.
//
// The model. Each prefix of a place, and its provider, keeps two counts: of
// endpoints found blocked (or frozen, or throttled: a blocker's doing) and of
// endpoints found alive although somebody had a doubt. An endpoint that is down,
// has no egress or a wrong password says nothing of its neighbours, and is not
// counted.
//
//   - Prior: one address in fifty (beliefPrior; assumption).
//   - Update: the counts are those of a Beta distribution, the conjugate prior of
//     a Bernoulli trial: the mean after b blocked and a alive, of a prior with mean
//     m and the weight of w observations, is (w*m + b) / (w + b + a) (Jøsang and
//     Ismail, "The Beta Reputation System", 2002, who have m = 1/2 and w = 2).
//   - Decay: both counts are halved every hour (halfLife), which is that paper's
//     forgetting factor for continuous time. So belief goes back to the prior by
//     itself, and what is still blocked is found blocked again.
//   - Change: an alive seen before a block says little of the time after it. Each
//     blocked one divides the alive ones of earlier moments by four (outdated),
//     those of all parts of a neighbourhood, and no more than four of them are
//     kept (aliveMost), so that two verdicts outweigh whatever a prefix has
//     earned in quiet times.
//   - Levels: the mean of one level is the prior of the next finer one, from the
//     provider over /12, /16 and /20 to /24 (IPv6: provider, /32, /40, /48), a
//     hierarchical model as in Gelman et al., "Bayesian Data Analysis", chapter 5,
//     with fixed weights (levelWeights; assumption). Each endpoint counts at the
//     finest prefix that it shares with the place asked for, and with the
//     provider: so a /24 that is blocked does not drown among well ones around
//     it, and one that is well does not among blocked ones.
//
// With these numbers one blocked endpoint in the same /16 makes .44, two make
// .62, two and one alive .48; two in the same /12 make .29, five .52; of a
// provider it takes 20.
type Belief struct {
	prefixes  map[prefixKey]*opinion
	providers map[string]*opinion
	blocked   int64 // when the latest was counted; 0 is never
	sweep     int   // at how many opinions those that have faded are forgotten
}

// Place is where an endpoint is, and so which neighbours it has. An empty
// Provider is unknown, and shared with nobody.
type Place struct {
	Addr     netip.Addr
	Provider string
}

const (
	beliefPrior = .02
	halfLife    = time.Hour
	outdated    = 1. / 4
	aliveMost   = 4

	// faded is a count, of both kinds together, below which there is none.
	faded = 1. / 1024
	// quietAfter is how long after the latest blocked one nobody is suspected
	// any more: even of 4,000 at once less than a tenth of one is left then.
	quietAfter = 16 * halfLife
)

// Suspicion is the belief from which on an address is suspected: it is more
// likely than not that it is interfered with.
const Suspicion = .5

// levels is how many levels a place has at most, the provider's included.
const levels = 5

// The prefix lengths of the levels, the provider's (0) first, and how many
// observations the level above is worth.
var (
	levelBits4    = [...]int{0, 12, 16, 20, 24}
	levelWeights4 = [...]float64{20, 8, 1.5, 1.5, 1.5}
	levelBits6    = [...]int{0, 32, 40, 48}
	levelWeights6 = [...]float64{20, 1.5, 1.5, 1.5}
)

// prefixKey is a prefix of an address: its bits, the first one highest, their
// number, and the family.
type prefixKey struct {
	bits   uint64
	length uint8
	six    bool
}

// opinion is the counts of one level, as they were at a moment. Alive ones of
// that very moment are fresh.
type opinion struct {
	blocked, alive, fresh float64
	at                    int64
}

// remains is what is left of 1 after a time.
func remains(d int64) float64 {
	if d <= 0 {
		return 1
	}
	return math.Exp2(-float64(d) / float64(halfLife))
}

// pass lets time pass until now.
func (o *opinion) pass(now int64) {
	if now <= o.at {
		return
	}
	left := remains(now - o.at)
	o.blocked *= left
	o.alive = min(o.alive+o.fresh, aliveMost) * left
	o.fresh = 0
	o.at = now
}

// key is the prefix of a place at a level.
func (p Place) key(level int) prefixKey {
	if p.Addr.Is4() || p.Addr.Is4In6() {
		a := p.Addr.As16()
		bits := uint64(a[12])<<56 | uint64(a[13])<<48 | uint64(a[14])<<40 | uint64(a[15])<<32
		length := levelBits4[level]
		return prefixKey{bits >> (64 - length), uint8(length), false}
	}
	a := p.Addr.As16()
	bits := uint64(a[0])<<56 | uint64(a[1])<<48 | uint64(a[2])<<40 | uint64(a[3])<<32 | uint64(a[4])<<24 | uint64(a[5])<<16
	length := levelBits6[level]
	return prefixKey{bits >> (64 - length), uint8(length), true}
}

// weights are those of the place's levels: none but the provider's if its
// address is not known.
func (p Place) weights() []float64 {
	switch {
	case !p.Addr.IsValid():
		return levelWeights4[:1]
	case p.Addr.Is4() || p.Addr.Is4In6():
		return levelWeights4[:]
	default:
		return levelWeights6[:]
	}
}

// neighbourhood is the level of the place's [Neighbourhood].
func (p Place) neighbourhood() int {
	if len(p.weights()) == len(levelWeights6) {
		return 1
	}
	return 2
}

// opinions finds what is known of the place's levels, nil where there is
// nothing, and how many levels it has.
func (b *Belief) opinions(p Place) (found [levels]*opinion, n int) {
	n = len(p.weights())
	if p.Provider != "" {
		found[0] = b.providers[p.Provider]
	}
	for level := 1; level < n; level++ {
		if found[level] = b.prefixes[p.key(level)]; found[level] == nil {
			break // what is not known of a prefix is not known of any part of it
		}
	}
	return found, n
}

// Blocked counts a place where an endpoint was found to be interfered with.
func (b *Belief) Blocked(p Place, now time.Time) {
	t := now.UnixNano()
	b.blocked = max(b.blocked, t)
	b.each(p, t, func(o *opinion) {
		o.blocked++
		o.alive *= outdated
	})
}

// Alive counts a place where an endpoint that was in doubt was found well.
func (b *Belief) Alive(p Place, now time.Time) {
	b.each(p, now.UnixNano(), func(o *opinion) { o.fresh++ })
}

// Withdraw takes back a Blocked that was counted at a time.
func (b *Belief) Withdraw(p Place, counted, now time.Time) {
	t := now.UnixNano()
	left := remains(t - counted.UnixNano())
	b.each(p, t, func(o *opinion) { o.blocked = max(0, o.blocked-left) })
}

// each changes all levels of a place.
func (b *Belief) each(p Place, now int64, change func(*opinion)) {
	if b.prefixes == nil {
		b.prefixes, b.providers = make(map[prefixKey]*opinion), make(map[string]*opinion)
	}
	b.forget(now)
	if p.Provider != "" {
		update(b.providers, p.Provider, now, change)
	}
	for level := 1; level < len(p.weights()); level++ {
		update(b.prefixes, p.key(level), now, change)
	}
}

func update[K comparable](m map[K]*opinion, k K, now int64, change func(*opinion)) {
	o := m[k]
	if o == nil {
		o = &opinion{at: now}
		m[k] = o
	}
	o.pass(now)
	change(o)
}

// sweepMin is how many opinions are kept without a look at their age.
const sweepMin = 256

// forget drops what has faded, once there are twice as many opinions as after
// the last time: that costs each update its share and no more.
func (b *Belief) forget(now int64) {
	if b.Len() < max(b.sweep, sweepMin) {
		return
	}
	sift(b.prefixes, now)
	sift(b.providers, now)
	b.sweep = 2 * b.Len()
}

func sift[K comparable](m map[K]*opinion, now int64) {
	for k, o := range m {
		if (o.blocked+o.alive+o.fresh)*remains(now-o.at) < faded {
			delete(m, k)
		}
	}
}

// Len is how many prefixes and providers something is known of. It is bounded by
// what was counted in the last half day.
func (b *Belief) Len() int { return len(b.prefixes) + len(b.providers) }

// At is the probability that an address is interfered with, strictly between 0
// and 1.
func (b *Belief) At(p Place, now time.Time) float64 {
	found, n := b.opinions(p)
	return fold(found[:n], p, now)
}

// Around is the same for an address in the place's [Neighbourhood] of whose
// closer neighbours nothing is known.
func (b *Belief) Around(p Place, now time.Time) float64 {
	found, n := b.opinions(p)
	return fold(found[:min(n, p.neighbourhood()+1)], p, now)
}

// fold goes from the provider to the finest prefix.
func fold(found []*opinion, p Place, now time.Time) float64 {
	weights, near, t := p.weights(), p.neighbourhood(), now.UnixNano()
	var blocked, alive [levels + 1]float64
	for n, o := range found {
		if o == nil {
			continue
		}
		left := remains(t - o.at)
		blocked[n] = o.blocked * left
		alive[n] = min(o.alive+o.fresh, aliveMost) * left
		if n > near {
			// What is out of date in the neighbourhood is so in its parts.
			alive[n] = min(alive[n], alive[n-1])
		}
	}
	mean := beliefPrior
	for n := range found {
		w, bad, well := weights[n], blocked[n], alive[n]
		if n > 0 && n < len(found)-1 { // the others count at the finer level
			bad, well = max(0, bad-blocked[n+1]), max(0, well-alive[n+1])
		}
		mean = (w*mean + bad) / (w + bad + well)
	}
	return mean
}

// stirred says whether anything may be believed of anybody.
func (b *Belief) stirred(now time.Time) bool {
	return b.blocked != 0 && now.UnixNano()-b.blocked < int64(quietAfter)
}

// alarm is belief in steps, so that noise puts nothing in order.
type alarm uint8

const (
	noAlarm  alarm = iota
	stirring       // a quarter: one neighbour was blocked
	burning        // Suspicion: several were
	burnt          // three quarters
)

func alarmOf(p float64) alarm {
	switch {
	case p < .25:
		return noAlarm
	case p < Suspicion:
		return stirring
	case p < .75:
		return burning
	default:
		return burnt
	}
}
