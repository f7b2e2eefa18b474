package blocker

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// RuleID names a rule within the history of one rule set. Zero names none.
type RuleID uint64

// Rule is one order to the border: when to act, and what to do.
type Rule struct {
	When When
	Do   Action
}

// When selects flows and packets. All its conditions must hold; an empty one
// always does, so the zero value means every packet of every flow.
type When struct {
	// Prefixes holds blocks of server addresses: the far end of a flow.
	Prefixes []netip.Prefix
	// Set is more of the same, for lists too long to copy. It may be nil.
	Set *PrefixSet
	// Ports holds server ports.
	Ports []uint16
	// Names holds host names. Each means itself and its subdomains, in any
	// case. A flow shows its name in a TLS ClientHello (SNI), in an HTTP Host
	// field, or in a SOCKS5 CONNECT sent in clear, also in one inside the
	// other. Until it has shown one that is listed, no such rule concerns it.
	Names []string
	// ExceptNames holds host names, in the sense of Names, of which a flow need
	// only show one to be left alone. Until then the rule concerns it: what has
	// been dropped by then has shown nothing. Whom an earlier flow has made
	// suffer by an Action that is Lingering, no name redeems.
	ExceptNames []string
	// From and Until bound the rule in time: From inclusive, Until exclusive.
	// The zero time does not bound.
	From, Until time.Time
	// Cycle has the rule come and go within those bounds, by day only, for
	// instance. The zero value always holds.
	Cycle Cycle
	// Probability is the share of flows concerned, 0 to 1, drawn once for each
	// flow. Zero means 1: a rule that concerns nobody need not be written.
	Probability float64
	// Dir limits the rule to packets of one direction.
	Dir Direction
}

// compiled is a rule prepared for looking up. It is immutable.
type compiled struct {
	id       RuleID
	rule     Rule
	prefixes *PrefixSet // nil: any address
	names    map[string]struct{}
	exempt   map[string]struct{}
}

func compile(id RuleID, r Rule) *compiled {
	r.When.Prefixes = slices.Clone(r.When.Prefixes)
	r.When.Ports = slices.Clone(r.When.Ports)
	r.When.Names = slices.Clone(r.When.Names)
	r.When.ExceptNames = slices.Clone(r.When.ExceptNames)
	c := &compiled{id: id, rule: r, prefixes: r.When.Servers()}
	c.names, c.exempt = nameSet(r.When.Names), nameSet(r.When.ExceptNames)
	return c
}

// nameSet is nil for no names.
func nameSet(names []string) map[string]struct{} {
	if len(names) == 0 {
		return nil
	}
	set := make(map[string]struct{}, len(names))
	for _, n := range names {
		set[canonical(n)] = struct{}{}
	}
	return set
}

// reaches reports whether the rule could concern a flow to server, whatever
// its names and the time.
func (c *compiled) reaches(server netip.AddrPort) bool {
	if c.prefixes != nil && !c.prefixes.Contains(server.Addr()) {
		return false
	}
	return len(c.rule.When.Ports) == 0 || slices.Contains(c.rule.When.Ports, server.Port())
}

// drawn reports whether the flow with this seed is among the rule's share. It
// is a hash, so that the draw needs no state and is the same for ever.
func (c *compiled) drawn(seed uint64) bool {
	p := c.rule.When.Probability
	if p <= 0 || p >= 1 {
		return true
	}
	x := seed ^ uint64(c.id)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x) < p*math.MaxUint64
}

// inForce reports whether now lies between the rule's dates, and in a part of
// its schedule that is on.
func (c *compiled) inForce(now time.Time) bool {
	w := &c.rule.When
	return (w.From.IsZero() || !now.Before(w.From)) && (w.Until.IsZero() || now.Before(w.Until)) && w.Cycle.Holds(now)
}

// FirstInForce is the first moment at or after t at which the rule is in force;
// zero if there is none.
func (w When) FirstInForce(t time.Time) time.Time {
	if t.Before(w.From) {
		t = w.From
	}
	if t = w.Cycle.Next(t); !w.Until.IsZero() && !t.Before(w.Until) {
		return time.Time{}
	}
	return t
}

// listed reports whether name or a domain above it is in a set of names.
func listed(names map[string]struct{}, name string) bool {
	for name != "" {
		if _, ok := names[name]; ok {
			return true
		}
		_, rest, found := strings.Cut(name, ".")
		if !found {
			return false
		}
		name = rest
	}
	return false
}

// canonical is a host name as it is compared: lower case, no final dot.
func canonical(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}
