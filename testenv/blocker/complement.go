package blocker

import "net/netip"

// Complement returns the set of all addresses, IPv4 and IPv6, that s does not
// cover, in as few prefixes as that takes: what a list of the permitted blocks.
func (s *PrefixSet) Complement() *PrefixSet {
	var rest []netip.Prefix
	everything := [...]netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	for _, all := range everything {
		var t *trie
		if s != nil {
			t = *s.root(all.Addr())
		}
		rest = t.gaps(all, rest)
	}
	return NewPrefixSet(rest...)
}

// gaps appends what t leaves of a prefix, of which t holds a part.
func (t *trie) gaps(within netip.Prefix, rest []netip.Prefix) []netip.Prefix {
	switch {
	case t == nil:
		return append(rest, within)
	case t.in && t.prefix.Bits() <= within.Bits():
		return rest
	}
	var halves [2]*trie
	if t.prefix.Bits() == within.Bits() {
		halves = t.child
	} else {
		halves[bit(t.prefix.Addr(), within.Bits())] = t
	}
	for i, half := range halves {
		rest = half.gaps(child(within, i), rest)
	}
	return rest
}

// child is the lower or the upper half of a prefix.
func child(p netip.Prefix, i int) netip.Prefix {
	at := p.Bits()
	if i == 0 {
		return netip.PrefixFrom(p.Addr(), at+1)
	}
	if p.Addr().Is4() {
		b := p.Addr().As4()
		b[at/8] |= 1 << (7 - at%8)
		return netip.PrefixFrom(netip.AddrFrom4(b), at+1)
	}
	b := p.Addr().As16()
	b[at/8] |= 1 << (7 - at%8)
	return netip.PrefixFrom(netip.AddrFrom16(b), at+1)
}
