package relay

import "sync/atomic"

// budget bounds the hedges of the CONNECT phase, in which slowness is mostly
// the destination's: one for ten requests, and ten in a burst. It is safe for
// concurrent use. The zero value is empty; see newBudget.
type budget struct {
	tenths atomic.Int64
}

const (
	hedgeCost = 10 // tenths of a hedge, of which each request earns one
	hedgeMost = 10 * hedgeCost
)

func newBudget() *budget {
	b := new(budget)
	b.tenths.Store(hedgeMost)
	return b
}

// earn is called once for every request.
func (b *budget) earn() {
	for {
		n := b.tenths.Load()
		if n >= hedgeMost || b.tenths.CompareAndSwap(n, n+1) {
			return
		}
	}
}

// spend takes one hedge, if there is one left.
func (b *budget) spend() bool {
	for {
		n := b.tenths.Load()
		if n < hedgeCost {
			return false
		}
		if b.tenths.CompareAndSwap(n, n-hedgeCost) {
			return true
		}
	}
}
