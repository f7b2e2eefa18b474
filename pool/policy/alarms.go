package policy

import (
	"math"
	"time"
)

// alarmMemory is the half-life of a false alarm.
const alarmMemory = 10 * time.Minute

// mostAlarms bounds what they amount to.
const mostAlarms = 6

// alarms counts the doubts about an endpoint that were dispelled, and forgets. An
// endpoint on a path that loses packets is late often and yet well: the more
// often it was, the more it takes to keep new requests away from it, so that it
// does not go back and forth. It is examined at the first sign all the same.
type alarms struct {
	n  float64
	at time.Time
}

func (a *alarms) add(now time.Time) {
	a.n = min(a.count(now)+1, mostAlarms)
	a.at = now
}

func (a *alarms) count(now time.Time) float64 {
	if a.at.IsZero() || !now.After(a.at) {
		return a.n
	}
	return a.n * math.Exp2(-float64(now.Sub(a.at))/float64(alarmMemory))
}
