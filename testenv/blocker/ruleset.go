package blocker

import (
	"net/netip"
	"slices"
	"time"
)

// RuleSet is an immutable list of rules with a generation number. Changing it
// gives a new set of the next generation, so a flow need only compare one
// number to know that what it has concluded still holds. The first rule of the
// list that acts on a packet decides.
//
// The nil *RuleSet is empty and of generation zero. A RuleSet is safe for
// concurrent use.
type RuleSet struct {
	generation uint64
	lastID     RuleID
	rules      []*compiled
	// changes holds the moments at which a rule begins or ends.
	changes []time.Time
	// cycles are the schedules of rules that come and go.
	cycles []Cycle
	linger bool
}

// With returns a set with r at the end of the list, and the new rule's ID.
func (s *RuleSet) With(r Rule) (*RuleSet, RuleID) {
	n := s.next(1)
	n.lastID++
	n.rules = append(n.rules, compile(n.lastID, r))
	n.index()
	return n, n.lastID
}

// Without returns a set that lacks the rule id, or s itself if it has none.
func (s *RuleSet) Without(id RuleID) *RuleSet {
	if s == nil {
		return s
	}
	for i, c := range s.rules {
		if c.id == id {
			n := s.next(0)
			n.rules = append(n.rules[:i:i], n.rules[i+1:]...)
			n.index()
			return n
		}
	}
	return s
}

// Replacing returns a set of the next generation with the given rules, and
// their IDs in the same order. Of the old ones only those to keep are left,
// behind the new ones.
func (s *RuleSet) Replacing(rules []Rule, keep ...RuleID) (*RuleSet, []RuleID) {
	n := s.next(len(rules))
	kept := slices.DeleteFunc(slices.Clone(n.rules), func(c *compiled) bool { return !slices.Contains(keep, c.id) })
	n.rules = n.rules[:0]
	ids := make([]RuleID, len(rules))
	for i, r := range rules {
		n.lastID++
		ids[i] = n.lastID
		n.rules = append(n.rules, compile(n.lastID, r))
	}
	n.rules = append(n.rules, kept...)
	n.index()
	return n, ids
}

// Revised returns a set in which the rule id reads r, at its old place and with
// its old ID: flows keep the state that they have under it. If there is no such
// rule, it is s itself.
func (s *RuleSet) Revised(id RuleID, r Rule) *RuleSet {
	if s == nil {
		return s
	}
	for i, c := range s.rules {
		if c.id == id {
			n := s.next(0)
			n.rules[i] = compile(id, r)
			n.index()
			return n
		}
	}
	return s
}

// Generation is the number of this state of the list. It grows by one with
// each change.
func (s *RuleSet) Generation() uint64 {
	if s == nil {
		return 0
	}
	return s.generation
}

// Len is the number of rules.
func (s *RuleSet) Len() int {
	if s == nil {
		return 0
	}
	return len(s.rules)
}

// Rule returns the rule id, and whether the set has it.
func (s *RuleSet) Rule(id RuleID) (Rule, bool) {
	if s != nil {
		for _, c := range s.rules {
			if c.id == id {
				return c.rule, true
			}
		}
	}
	return Rule{}, false
}

// Covers reports whether some rule in force at now names the address, by a
// prefix: rules for every address, as one for a name alone, do not count.
func (s *RuleSet) Covers(addr netip.Addr, now time.Time) bool {
	if s == nil {
		return false
	}
	for _, c := range s.rules {
		if c.prefixes != nil && c.inForce(now) && c.prefixes.Contains(addr) {
			return true
		}
	}
	return false
}

// Prefixes is the union of all prefixes named by rules in force at now.
func (s *RuleSet) Prefixes(now time.Time) *PrefixSet {
	var all *PrefixSet
	if s == nil {
		return all
	}
	for _, c := range s.rules {
		if c.prefixes == nil || !c.inForce(now) {
			continue
		}
		all = all.Union(c.prefixes)
	}
	return all
}

func (s *RuleSet) next(room int) *RuleSet {
	if s == nil {
		return &RuleSet{generation: 1, rules: make([]*compiled, 0, room)}
	}
	n := &RuleSet{generation: s.generation + 1, lastID: s.lastID}
	n.rules = append(make([]*compiled, 0, len(s.rules)+room), s.rules...)
	return n
}

func (s *RuleSet) index() {
	for _, c := range s.rules {
		for _, t := range [...]time.Time{c.rule.When.From, c.rule.When.Until} {
			if !t.IsZero() {
				s.changes = append(s.changes, t)
			}
		}
		if c.rule.When.Cycle.Every > 0 {
			s.cycles = append(s.cycles, c.rule.When.Cycle)
		}
		s.linger = s.linger || c.rule.Do.window > 0
	}
}

// nextChange is the first moment after now at which a rule comes into force or
// goes out of it; zero if there is none.
func (s *RuleSet) nextChange(now time.Time) (next time.Time) {
	sooner := func(t time.Time) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, t := range s.changes {
		sooner(t)
	}
	for _, c := range s.cycles {
		sooner(c.Turns(now))
	}
	return next
}
