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
	slow, over, whole bool
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

// ended notes that one side is over, and whether it has come through whole.
func (p *pair) ended(side int, whole bool) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.side[side].over, p.side[side].whole = true, whole
}

// through is whether the other side has come through whole.
func (p *pair) through(side int) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.side[1-side].whole
}

// passed is one direction's part of an examination, and the error behind it.
type passed struct {
	policy.Passage
	err error
}

// severity orders the ends of a transfer. What is not in it says nothing.
var severity = map[policy.Outcome]int{
	policy.Answered: 1, policy.Slowed: 2, policy.Refused: 3, policy.Silent: 4,
	policy.Closed: 5, policy.Reset: 6, policy.Stalled: 7,
}

// worse is the one of two twins that counts: the worse, and of equals the one that
// brought less, or was slower. But what failed before its first byte, while its
// twin came through, failed by accident. And what is slow where its twin came
// through, or its twin stopped, is not what it seems: policing strikes every flow,
// and nothing that is frozen goes on.
func worse(a, b passed) passed {
	if severity[a.Outcome] < severity[b.Outcome] {
		a, b = b, a
	}
	switch {
	case severity[b.Outcome] == 0:
		return a
	case a.Outcome == b.Outcome:
		if a.Outcome == policy.Stalled && b.Bytes < a.Bytes || a.Outcome != policy.Stalled && b.Rate < a.Rate {
			return b
		}
		return a
	case b.Outcome == policy.Answered && (a.Bytes == 0 || a.Outcome == policy.Slowed):
		return b
	case b.Outcome == policy.Slowed && a.Outcome == policy.Stalled:
		return b
	}
	return a
}
