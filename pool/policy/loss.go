package policy

import (
	"math"
	"time"
)

// A verdict that an endpoint does not answer rests on failures that are
// independent of each other. How many it takes hangs on how many are to be
// expected on a path like this while nothing is wrong.
const (
	// fewestFailures is the least number, on the best of paths.
	fewestFailures = 5
	// mostFailures bounds what is asked for on the worst ones.
	mostFailures = 24
	// byChance is how probable it may be, at most, that so many failures in a row
	// are mere loss. A busy endpoint is doubted some fifty times an hour on a path
	// that loses a fifth of its packets: 10,000 endpoint-hours then hold less than
	// one false verdict.
	byChance = 1e-7
	// assumedLoss is the share of handshakes that fail on a path of which nothing
	// is known. Assumption.
	assumedLoss = .03
	// lossMemory is the half-life of what was seen of a path's loss.
	lossMemory = 15 * time.Minute
)

// Loss counts how many handshakes with a healthy endpoint have failed, and
// forgets: each count halves every 15 minutes. The zero value knows nothing.
type Loss struct {
	tries, failures float64
	at              time.Time
}

// Note adds the tries of one examination of which at least one was answered, and
// how many of them were not.
func (l *Loss) Note(tries, failures int, now time.Time) {
	l.tries, l.failures = l.seen(now)
	l.tries += float64(tries)
	l.failures += float64(failures)
	l.at = later(l.at, now)
}

// seen is the counts as they are at now.
func (l *Loss) seen(now time.Time) (tries, failures float64) {
	if l.at.IsZero() || !now.After(l.at) {
		return l.tries, l.failures
	}
	left := math.Exp2(-float64(now.Sub(l.at)) / float64(lossMemory))
	return l.tries * left, l.failures * left
}

// Share estimates which share of handshakes is lost: the mean of a Beta
// distribution whose prior has the mean prior and the weight of that many tries.
func (l *Loss) Share(now time.Time, prior, weight float64) float64 {
	tries, failures := l.seen(now)
	return (failures + weight*prior) / (tries + weight)
}

// Enough is how many independent failures in a row a verdict takes where the
// given share of handshakes fails anyhow: the least n with share^n at or below
// 1e-7, at least 5 and at most 24. A share of 0 is taken for 3 %.
func Enough(share float64) int {
	if share <= 0 {
		share = assumedLoss
	}
	n := math.Log(byChance) / math.Log(min(share, .99))
	return min(max(int(math.Ceil(n)), fewestFailures), mostFailures)
}
