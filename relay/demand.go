package relay

import (
	"math"
	"time"
)

const (
	// demandHalf is how long it takes for a request to count half.
	demandHalf = 30 * time.Second
	// demandLeast is the demand below which nothing is kept: that of a single
	// request a minute ago.
	demandLeast = .25
)

// demand is how many requests there were lately, the recent ones counting most.
// The zero value is none.
type demand struct {
	level float64
	at    time.Time
}

// add counts one request. No more than most+1 are counted, so that what was
// asked for much is let go nearly as soon as what was asked for once.
func (d *demand) add(now time.Time, most int) {
	d.level, d.at = min(d.now(now)+1, float64(most+1)), now
}

func (d *demand) now(now time.Time) float64 {
	return d.level * math.Exp2(-float64(now.Sub(d.at))/float64(demandHalf))
}

// want is how many connections the demand is worth, at most as many as given.
func (d *demand) want(now time.Time, most int) int {
	level := d.now(now)
	if level < demandLeast {
		return 0
	}
	return min(max(1, int(math.Round(level))), most)
}
