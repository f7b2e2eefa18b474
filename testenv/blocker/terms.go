package blocker

import (
	"iter"
	"time"
)

// Deed is what an [Action] amounts to.
type Deed uint8

// The deeds, each named as the Action that does it.
const (
	Drops Deed = iota
	Resets
	Rejects
	Freezes
	Polices
)

// Terms are all that an [Action] says, for those who carry it out by other
// means than a [Flow].
type Terms struct {
	Deed Deed
	// Count is the direction that Freezes counts in.
	Count Direction
	// Packets, if it is not zero, is the limit of Freezes, in packets with
	// payload; else Bytes is, in payload bytes.
	Bytes, Packets int64
	// Rate is that of Polices, in payload bytes a second. Burst is how many
	// bytes its bucket holds.
	Rate, Burst float64
	// Window is how long the rule lingers; zero: not at all.
	Window time.Duration
	// Renews is whether attempts within the window prolong it.
	Renews bool
}

// Terms returns what the action says.
func (a Action) Terms() Terms {
	t := Terms{
		Count: a.count, Bytes: a.bytes, Packets: a.packets, Rate: a.rate,
		Window: a.window, Renews: a.renews,
	}
	switch a.kind {
	case reset:
		t.Deed = Resets
	case reject:
		t.Deed = Rejects
	case freeze:
		t.Deed = Freezes
	case police:
		t.Deed, t.Burst = Polices, a.burst()
	case drop:
	}
	return t
}

// Servers is the set of server addresses that the condition names, or nil if it
// holds for any.
func (w When) Servers() *PrefixSet {
	if len(w.Prefixes) > 0 {
		return w.Set.With(w.Prefixes...)
	}
	return w.Set
}

// All yields the rules in their order.
func (s *RuleSet) All() iter.Seq2[RuleID, Rule] {
	return func(yield func(RuleID, Rule) bool) {
		if s == nil {
			return
		}
		for _, c := range s.rules {
			if !yield(c.id, c.rule) {
				return
			}
		}
	}
}

// InForce yields the rules in force at now, in their order.
func (s *RuleSet) InForce(now time.Time) iter.Seq2[RuleID, Rule] {
	return func(yield func(RuleID, Rule) bool) {
		if s == nil {
			return
		}
		for _, c := range s.rules {
			if c.inForce(now) && !yield(c.id, c.rule) {
				return
			}
		}
	}
}

// NextChange is the first moment after now at which a rule begins or ends by
// its dates; zero if there is none.
func (s *RuleSet) NextChange(now time.Time) time.Time {
	if s == nil {
		return time.Time{}
	}
	return s.nextChange(now)
}
