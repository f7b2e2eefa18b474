package probe

import (
	"sync"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// siblings are several transfers in the same direction, side by side, and what they
// know of each other. A blocker treats all alike, while loss strikes each by itself.
// A nil one is that of a transfer alone.
type siblings struct {
	mu sync.Mutex
	of []sibling
}

// sibling is how one of them fares.
type sibling struct {
	slow, over bool
	whole      int64 // so many bytes came through, and that was all
}

// newSiblings is for n transfers; nil for fewer than two.
func newSiblings(n int) *siblings {
	if n < 2 {
		return nil
	}
	return &siblings{of: make([]sibling, n)}
}

// slow notes whether one is too slow, and says whether it is to be ended for that:
// when every other is as slow, or has ended. Till then it goes on, since it may yet
// show that it does not stop where another has.
func (s *siblings) slow(which int, slow bool) bool {
	if s == nil {
		return slow
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[which].slow = slow
	for i, other := range s.of {
		if i != which && !other.slow && !other.over {
			return false
		}
	}
	return slow
}

// ended notes that one is over, and how.
func (s *siblings) ended(which int, with passed) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[which].over = true
	if with.Outcome == policy.Answered {
		s.of[which].whole = with.Bytes
	}
}

// through is whether any other has come through, beyond so many bytes.
func (s *siblings) through(which int, bytes int64) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.of {
		if i != which && other.whole > bytes {
			return true
		}
	}
	return false
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

// worst is the one of several siblings that counts, and how many there were.
func worst(all []passed) passed {
	if len(all) == 0 {
		return passed{}
	}
	w := all[0]
	for _, p := range all[1:] {
		w = worse(w, p)
	}
	flows, stopped := 0, 0
	for _, p := range all {
		if severity[p.Outcome] > 0 {
			flows++
		}
		if p.Outcome == w.Outcome {
			stopped++
		}
	}
	if flows > 1 {
		w.Flows, w.Stopped = flows, stopped
	}
	return w
}

// worse is the one of two that counts: the worse, and of equals the one that
// stopped earlier, was slower, or brought more. But some that are worse failed by
// accident, as the other shows that came further: what failed before its first byte;
// what stood while its path answered; what was slow where the other was not, since
// policing strikes every flow. And what stopped where the other goes on slowly is
// slow: nothing that is frozen goes on.
func worse(a, b passed) passed {
	if severity[a.Outcome] < severity[b.Outcome] {
		a, b = b, a
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
