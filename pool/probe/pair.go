package probe

import (
	"sync"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// pair is what two transfers in the same direction, side by side, know of each
// other. A blocker treats both alike, while loss strikes each by itself. The zero
// value is ready to use, and a nil one is that of a transfer without a twin.
type pair struct {
	mu   sync.Mutex
	side [2]twin
}

// twin is how one of the two fares.
type twin struct {
	slow, over bool
	whole      int64 // so many bytes came through, and that was all
}

// slow notes whether one side is too slow, and says whether it is to be ended for
// that: when the other is as slow, or has ended. Till then it goes on, since it
// may yet show that it does not stop where the other has.
func (p *pair) slow(side int, slow bool) bool {
	if p == nil {
		return slow
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.side[side].slow = slow
	other := p.side[1-side]
	return slow && (other.slow || other.over)
}

// ended notes that one side is over, and how.
func (p *pair) ended(side int, with passed) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.side[side].over = true
	if with.Outcome == policy.Answered {
		p.side[side].whole = with.Bytes
	}
}

// through is whether the other side has come through, beyond so many bytes.
func (p *pair) through(side int, bytes int64) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.side[1-side].whole > bytes
}

// passed is one direction's part of an examination, and the error behind it.
type passed struct {
	policy.Passage
	err error
	// slow is whether it fell short of what the path allows, alive whether the
	// path itself answered while the flow stood.
	slow, alive bool
}

// severity orders the ends of a transfer. What is not in it says nothing.
var severity = map[policy.Outcome]int{
	policy.Answered: 1, policy.Slowed: 2, policy.Refused: 3, policy.Silent: 4,
	policy.Closed: 5, policy.Reset: 6, policy.Stalled: 7,
}

// worse is the one of two twins that counts: the worse, and of equals the one that
// stopped earlier, was slower, or brought more. But some that are worse failed by accident, as the
// other shows that came further: what failed before its first byte; what stood
// while its path answered; what was slow where the other was not, since policing
// strikes every flow. And what stopped where the other goes on slowly is slow:
// nothing that is frozen goes on.
func worse(a, b passed) passed {
	if severity[a.Outcome] < severity[b.Outcome] {
		a, b = b, a
	}
	if severity[b.Outcome] > 0 {
		a.Flows, a.Stopped, b.Flows, b.Stopped = 2, 1, 2, 1
		if a.Outcome == b.Outcome {
			a.Stopped, b.Stopped = 2, 2
		}
	}
	further := (b.Outcome == policy.Answered || b.Outcome == policy.Slowed) && b.Bytes > a.Bytes
	switch {
	case severity[b.Outcome] == 0:
		return a
	case a.Outcome == b.Outcome:
		if a.Outcome == policy.Stalled && b.Bytes < a.Bytes || a.Outcome == policy.Slowed && b.Rate < a.Rate ||
			a.Outcome == policy.Answered && b.Bytes > a.Bytes {
			return b
		}
		return a
	case further && (a.Bytes == 0 || a.Outcome == policy.Stalled && a.alive),
		b.Outcome == policy.Answered && a.Outcome == policy.Slowed && !b.slow,
		b.Outcome == policy.Slowed && a.Outcome == policy.Stalled:
		return b
	}
	return a
}
