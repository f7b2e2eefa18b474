package blocker

import "net/netip"

// Diff says how a list of disjoint blocks that covers the addresses of s becomes
// one that covers those of next: the blocks to take out of it, and then those to
// put in. Such a list has the prefixes that lie in no other one of their set. What
// the two sets share, as when one has been made from the other, costs nothing:
// between a million prefixes and a million and one it looks at a few dozen.
func (s *PrefixSet) Diff(next *PrefixSet) (gone, added []netip.Prefix) {
	var d difference
	var a, b PrefixSet
	if s != nil {
		a = *s
	}
	if next != nil {
		b = *next
	}
	d.compare(a.v4, b.v4)
	d.compare(a.v6, b.v6)
	return d.gone, d.added
}

type difference struct{ gone, added []netip.Prefix }

func (d *difference) compare(a, b *trie) {
	switch {
	case a == b:
	case a == nil:
		b.outer(&d.added)
	case b == nil:
		a.outer(&d.gone)
	case a.prefix == b.prefix && a.in == b.in:
		if !a.in {
			d.compare(a.child[0], b.child[0])
			d.compare(a.child[1], b.child[1])
		}
	case a.prefix.Bits() < b.prefix.Bits() && !a.in && a.prefix.Contains(b.prefix.Addr()):
		for i := range a.child {
			d.compare(a.child[i], b.within(a.prefix, i))
		}
	case b.prefix.Bits() < a.prefix.Bits() && !b.in && b.prefix.Contains(a.prefix.Addr()):
		for i := range b.child {
			d.compare(a.within(b.prefix, i), b.child[i])
		}
	default:
		a.outer(&d.gone)
		b.outer(&d.added)
	}
}

// within is t if it lies in half i of a block that it lies in.
func (t *trie) within(p netip.Prefix, i int) *trie {
	if bit(t.prefix.Addr(), p.Bits()) == i {
		return t
	}
	return nil
}

// outer appends the prefixes that lie in no other one.
func (t *trie) outer(all *[]netip.Prefix) {
	switch {
	case t == nil:
	case t.in:
		*all = append(*all, t.prefix)
	default:
		t.child[0].outer(all)
		t.child[1].outer(all)
	}
}
