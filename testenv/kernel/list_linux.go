package kernel

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// list is what a rule has of server addresses. Linux prepares a set of ranges
// anew, all of it, when a range comes or goes: 250 ms for a million. So what is new
// goes into a small set beside a large one, until that is full.
type list struct {
	want   *blocker.PrefixSet // nil: any address
	recent *blocker.PrefixSet // what of it is in the small set
	large  bool               // whether there is anything in the large one
	ahead  bool               // whether sets have been changed ahead of a transaction
}

const (
	// maxRecent is how many prefixes the small set holds: 3 ms for a change.
	maxRecent = 1 << 14
	// perPrefix is about how many bytes of a transaction a prefix takes.
	perPrefix = 72
	// perTransaction bounds how many prefixes one transaction takes, where there
	// is room: the kernel holds all of it until the end.
	perTransaction = 100_000
)

func listSet(l *laid, f family, recent bool) string {
	if recent {
		return l.name("recent") + "-" + f.name
	}
	return l.name("listed") + "-" + f.name
}

// names are the large sets, or the small ones.
func (*list) names(l *laid, recent bool) (all []string) {
	for _, f := range families {
		all = append(all, listSet(l, f, recent))
	}
	return all
}

// lookups are the sets that a rule looks an address of a family up in, each by a
// rule of its own.
func (t *list) lookups(l *laid, f family) []string {
	switch {
	case t.want == nil:
		return []string{""}
	case t.large:
		return []string{listSet(l, f, false), listSet(l, f, true)}
	}
	return []string{listSet(l, f, true)}
}

// enlist makes the sets of a new rule, full.
func (v *Vantage) enlist(b *nft.Batch, l *laid, want *blocker.PrefixSet) error {
	_, added := (*blocker.PrefixSet)(nil).Diff(want)
	l.list = list{want: want}
	for _, recent := range []bool{false, true} {
		for _, f := range families {
			l.set(b, nft.Set{Name: listSet(l, f, recent), Fields: []int{f.length}, Interval: true})
		}
	}
	if len(added) <= maxRecent && v.fits(b, len(added)) {
		l.list.recent = blocker.NewPrefixSet(added...)
		insert(b, l, true, added)
		return nil
	}
	l.list.large = true
	if v.fits(b, len(added)) {
		insert(b, l, false, added)
		return nil
	}
	first := nft.New(table)
	for _, f := range families {
		first.Set(nft.Set{Name: listSet(l, f, false), Fields: []int{f.length}, Interval: true})
	}
	if err := v.conn.Commit(first); err != nil {
		return err
	}
	l.list.ahead = true
	return v.pour(added, func(b *nft.Batch, p []netip.Prefix) { insert(b, l, false, p) })
}

// relist changes the sets of a rule by what is new.
func (v *Vantage) relist(b *nft.Batch, l *laid, want *blocker.PrefixSet) error {
	t := &l.list
	gone, added := t.want.Diff(want)
	t.want, t.ahead = want, false
	if len(gone)+len(added) == 0 {
		return nil
	}
	var goneLarge, goneRecent []netip.Prefix
	for _, p := range gone {
		if t.recent.Has(p) {
			goneRecent = append(goneRecent, p)
		} else {
			goneLarge = append(goneLarge, p)
		}
	}
	t.recent = t.recent.Without(goneRecent...)
	do := func(prefixes []netip.Prefix, f func(*nft.Batch, []netip.Prefix)) error {
		if v.fits(b, len(prefixes)) {
			f(b, prefixes)
			return nil
		}
		t.ahead = true
		return v.pour(prefixes, f)
	}
	withdrawn := func(recent bool) func(*nft.Batch, []netip.Prefix) {
		return func(b *nft.Batch, p []netip.Prefix) { withdraw(b, l, recent, p) }
	}
	err := errors.Join(do(goneLarge, withdrawn(false)), do(goneRecent, withdrawn(true)))
	if err != nil {
		return err
	}
	if t.recent.Len()+len(added) <= maxRecent {
		t.recent = t.recent.With(added...)
		return do(added, func(b *nft.Batch, p []netip.Prefix) { insert(b, l, true, p) })
	}
	// The small one is full: all goes into the large one.
	kept := slices.Collect(t.recent.All())
	t.recent, t.large = nil, true
	if err := do(kept, withdrawn(true)); err != nil {
		return err
	}
	return do(append(kept, added...), func(b *nft.Batch, p []netip.Prefix) { insert(b, l, false, p) })
}

// fits reports whether so many prefixes more fit into a transaction, with all else
// that it may hold.
func (v *Vantage) fits(b *nft.Batch, prefixes int) bool {
	return prefixes <= perTransaction && b.Size()+prefixes*perPrefix < v.conn.Room()*3/4
}

// pour does something with prefixes in transactions of their own.
func (v *Vantage) pour(prefixes []netip.Prefix, do func(*nft.Batch, []netip.Prefix)) error {
	most := min(perTransaction, v.conn.Room()/perPrefix)
	for part := range slices.Chunk(prefixes, most) {
		b := nft.New(table)
		do(b, part)
		if err := v.conn.Commit(b); err != nil {
			return err
		}
	}
	return nil
}

func insert(b *nft.Batch, l *laid, recent bool, prefixes []netip.Prefix) {
	for _, f := range families {
		b.Add(listSet(l, f, recent), elements(f, prefixes)...)
	}
}

func withdraw(b *nft.Batch, l *laid, recent bool, prefixes []netip.Prefix) {
	for _, f := range families {
		b.Delete(listSet(l, f, recent), elements(f, prefixes)...)
	}
}

// elements are the ranges of the prefixes of a family: where each begins, and the
// first address behind it, if there is one.
func elements(f family, prefixes []netip.Prefix) []nft.Element {
	all := make([]nft.Element, 0, 2*len(prefixes))
	for _, p := range prefixes {
		if p.Addr().BitLen() != f.length*8 {
			continue
		}
		all = append(all, nft.Element{Key: p.Addr().AsSlice()})
		if next := behind(p); next.IsValid() {
			all = append(all, nft.Element{Key: next.AsSlice(), End: true})
		}
	}
	return all
}

// behind is the first address after a prefix, invalid if there is none.
func behind(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last.Next()
}
