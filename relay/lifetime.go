package relay

import "time"

const (
	// longestLife is how old a warm connection becomes at most: younger than most
	// NATs forget an idle one (RFC 5382 asks for two hours, home routers keep them
	// for minutes).
	longestLife = 2 * time.Minute
	// shortestLimit is the shortest idle limit that is worth keeping connections
	// for.
	shortestLimit = 2 * time.Second
	// limitMemory is how long an idle limit is believed in. What ended a
	// connection may have been a restart, and to find a limit out again costs
	// nothing.
	limitMemory = 10 * time.Minute
)

// lifetime is what is known of how long an endpoint lets a negotiated connection
// wait for its request. The zero value knows of no limit.
type lifetime struct {
	limit time.Duration // the shortest age at which the endpoint ended one
	seen  time.Time     // when that was last confirmed
}

// learn takes the age of a connection that the endpoint has ended. It reports
// whether the limit leaves a life worth living.
func (l *lifetime) learn(age time.Duration, now time.Time) bool {
	if age < shortestLimit {
		return false
	}
	if l.unknown(now) || age < l.limit {
		l.limit = age
	}
	l.seen = now
	return true
}

func (l *lifetime) unknown(now time.Time) bool {
	return l.limit == 0 || now.Sub(l.seen) > limitMemory
}

// draw is how long a new connection is to be kept, given a random number from 0
// to 1: a tenth less than the limit and two round trips, in which a request
// could still come too late, and up to a quarter less by chance, so that
// renewals fall into no rhythm.
func (l *lifetime) draw(now time.Time, rtt time.Duration, random float64) time.Duration {
	life := longestLife
	if !l.unknown(now) {
		life = min(life, l.limit*9/10-2*rtt)
	}
	return max(life-time.Duration(random*float64(life)/4), shortestLimit/2)
}
