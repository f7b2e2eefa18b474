package blocker

import "iter"

// All yields the rules in their order, also those whose dates are over or to
// come.
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
