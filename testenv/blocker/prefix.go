package blocker

import (
	"iter"
	"math/bits"
	"net/netip"
)

// PrefixSet is an immutable set of prefixes. Adding to it or taking from it
// gives a new set that shares nearly everything with the old one, at the cost
// of one path of a trie; asking whether an address is covered follows one path,
// also among a million prefixes. IPv4 and IPv6 are kept apart; an IPv4 address
// mapped into IPv6 counts as IPv4.
//
// The nil *PrefixSet is empty. A PrefixSet is safe for concurrent use.
type PrefixSet struct {
	v4, v6 *trie
	count  int
}

// trie is a node of a path-compressed binary trie. It is immutable once it can
// be reached from a PrefixSet. An inner node that is not in the set itself has
// two children.
type trie struct {
	prefix netip.Prefix
	in     bool
	child  [2]*trie
}

// NewPrefixSet returns a set of the given prefixes. Bits beyond a prefix's
// length are ignored, invalid prefixes too.
func NewPrefixSet(prefixes ...netip.Prefix) *PrefixSet {
	return (*PrefixSet)(nil).With(prefixes...)
}

// With returns a set with the given prefixes added.
func (s *PrefixSet) With(prefixes ...netip.Prefix) *PrefixSet {
	var n PrefixSet
	if s != nil {
		n = *s
	}
	for _, p := range prefixes {
		p, ok := canonicalPrefix(p)
		if !ok {
			continue
		}
		root := n.root(p.Addr())
		added := false
		*root = (*root).insert(p, &added)
		if added {
			n.count++
		}
	}
	return &n
}

// Without returns a set that lacks exactly these prefixes. Addresses that
// another prefix covers stay covered.
func (s *PrefixSet) Without(prefixes ...netip.Prefix) *PrefixSet {
	if s == nil {
		return nil
	}
	n := *s
	for _, p := range prefixes {
		p, ok := canonicalPrefix(p)
		if !ok {
			continue
		}
		root := n.root(p.Addr())
		removed := false
		*root = (*root).remove(p, &removed)
		if removed {
			n.count--
		}
	}
	return &n
}

// Contains reports whether a prefix of the set covers addr.
func (s *PrefixSet) Contains(addr netip.Addr) bool {
	if s == nil || !addr.IsValid() {
		return false
	}
	addr = addr.Unmap().WithZone("")
	t := *s.root(addr)
	for t != nil && t.prefix.Contains(addr) {
		if t.in {
			return true
		}
		t = t.child[bit(addr, t.prefix.Bits())]
	}
	return false
}

// Has reports whether exactly this prefix is in the set.
func (s *PrefixSet) Has(p netip.Prefix) bool {
	p, ok := canonicalPrefix(p)
	if s == nil || !ok {
		return false
	}
	t := *s.root(p.Addr())
	for t != nil && t.prefix.Bits() <= p.Bits() && t.prefix.Contains(p.Addr()) {
		if t.prefix == p {
			return t.in
		}
		t = t.child[bit(p.Addr(), t.prefix.Bits())]
	}
	return false
}

// Len is the number of prefixes, overlapping ones included.
func (s *PrefixSet) Len() int {
	if s == nil {
		return 0
	}
	return s.count
}

// Addresses is the number of IPv4 addresses that the set covers, each counted
// once.
func (s *PrefixSet) Addresses() uint64 {
	if s == nil {
		return 0
	}
	return s.v4.addresses()
}

// All yields the prefixes, in the order of their addresses, shorter ones first.
func (s *PrefixSet) All() iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		if s != nil {
			_ = s.v4.walk(yield) && s.v6.walk(yield)
		}
	}
}

func (s *PrefixSet) root(a netip.Addr) **trie {
	if a.Is4() {
		return &s.v4
	}
	return &s.v6
}

func (t *trie) insert(p netip.Prefix, added *bool) *trie {
	if t == nil {
		*added = true
		return &trie{prefix: p, in: true}
	}
	common := commonBits(t.prefix, p)
	switch {
	case common == t.prefix.Bits() && common == p.Bits():
		if t.in {
			return t
		}
		n := *t
		n.in, *added = true, true
		return &n
	case common == t.prefix.Bits():
		n := *t
		i := bit(p.Addr(), common)
		n.child[i] = t.child[i].insert(p, added)
		return &n
	}
	*added = true
	n := &trie{prefix: netip.PrefixFrom(p.Addr(), common).Masked()}
	n.child[bit(t.prefix.Addr(), common)] = t
	if common == p.Bits() {
		n.in = true
	} else {
		n.child[bit(p.Addr(), common)] = &trie{prefix: p, in: true}
	}
	return n
}

func (t *trie) remove(p netip.Prefix, removed *bool) *trie {
	if t == nil || t.prefix.Bits() > p.Bits() || !t.prefix.Contains(p.Addr()) {
		return t
	}
	n := *t
	if t.prefix == p {
		if !t.in {
			return t
		}
		n.in, *removed = false, true
	} else {
		i := bit(p.Addr(), t.prefix.Bits())
		n.child[i] = t.child[i].remove(p, removed)
		if !*removed {
			return t
		}
	}
	if n.in {
		return &n
	}
	switch {
	case n.child[0] == nil:
		return n.child[1]
	case n.child[1] == nil:
		return n.child[0]
	}
	return &n
}

func (t *trie) addresses() uint64 {
	switch {
	case t == nil:
		return 0
	case t.in:
		return 1 << (32 - t.prefix.Bits())
	}
	return t.child[0].addresses() + t.child[1].addresses()
}

func (t *trie) walk(yield func(netip.Prefix) bool) bool {
	if t == nil {
		return true
	}
	return (!t.in || yield(t.prefix)) && t.child[0].walk(yield) && t.child[1].walk(yield)
}

func canonicalPrefix(p netip.Prefix) (netip.Prefix, bool) {
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), p.IsValid()
}

// bit is bit i of an address, counted from the left.
func bit(a netip.Addr, i int) int {
	if a.Is4() {
		b := a.As4()
		return int(b[i/8] >> (7 - i%8) & 1)
	}
	b := a.As16()
	return int(b[i/8] >> (7 - i%8) & 1)
}

// commonBits is how many leading bits two prefixes of one family share.
func commonBits(p, q netip.Prefix) int {
	limit := min(p.Bits(), q.Bits())
	a, b := p.Addr().As16(), q.Addr().As16()
	shift := 0
	if p.Addr().Is4() {
		shift = 96
	}
	for i := shift / 8; i < 16; i++ {
		if x := a[i] ^ b[i]; x != 0 {
			return min(limit, i*8-shift+bits.LeadingZeros8(x))
		}
	}
	return limit
}

// Union returns the set of what either holds.
func (s *PrefixSet) Union(o *PrefixSet) *PrefixSet {
	switch {
	case s.Len() == 0:
		return o
	case o.Len() == 0 || s == o:
		return s
	case s.Len() < o.Len():
		s, o = o, s
	}
	u := *s
	for p := range o.All() {
		root, added := u.root(p.Addr()), false
		if *root = (*root).insert(p, &added); added {
			u.count++
		}
	}
	return &u
}
