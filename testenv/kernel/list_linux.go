package kernel

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// list is what a rule has of server addresses. Linux prepares a set of ranges
// anew, all of it, when a range comes or goes: 250 ms for a million. So what is new
// goes into a small set beside a large one, until that is full.
//
// What changes within a set takes effect a while after the transaction does, and
// what goes before what comes. So nothing is ever put into a set that is in use: a
// new one is filled ahead of the transaction that has the rules look it up. What is
// taken out of a large one is taken out after that.
type list struct {
	want   *blocker.PrefixSet // nil: any address
	recent *blocker.PrefixSet // what of it is in the small set
	// small and large are the sets' names, less the family's: none if empty.
	small, large string
	// gone is what has to be taken out of the large set; spoilt says that this has
	// failed, so that it is not known what is in there.
	gone   []netip.Prefix
	spoilt bool
}

const (
	// maxRecent is how many prefixes the small set holds, which is made anew by
	// each change: 10 ms for a full one.
	maxRecent = 1 << 12
	// perPrefix is about how many bytes of a transaction a prefix takes.
	perPrefix = 72
	// perTransaction bounds how many prefixes one transaction takes, where there
	// is room: the kernel holds all of it until the end.
	perTransaction = 100_000
)

// lookups are the sets that a rule looks an address of a family up in, each by a
// rule of its own.
func (t *list) lookups(f family) (all []string) {
	if t.want == nil {
		return []string{""}
	}
	for _, set := range []string{t.large, t.small} {
		if set != "" {
			all = append(all, set+f.name)
		}
	}
	return all
}

// sets are all that are in use.
func (t *list) sets() (all []string) {
	for _, set := range []string{t.large, t.small} {
		if set != "" {
			all = append(all, names(set)...)
		}
	}
	return all
}

// names are those of a set, by family.
func names(set string) (all []string) {
	for _, f := range families {
		all = append(all, set+f.name)
	}
	return all
}

// relist is a list with other addresses: the sets that it does not share with the
// old one are made ahead.
func (v *Vantage) relist(a *ahead, t list, id blocker.RuleID, want *blocker.PrefixSet) (n list, err error) {
	n = t
	n.want = want
	if want == nil {
		return n, nil
	}
	gone, added := t.want.Diff(want)
	if len(gone)+len(added) == 0 && !t.spoilt {
		return n, nil
	}
	n.recent = t.recent.Without(gone...)
	for _, p := range gone {
		if !t.recent.Has(p) {
			n.gone = append(n.gone, p)
		}
	}
	if n.spoilt || n.recent.Len()+len(added) > maxRecent {
		_, all := (*blocker.PrefixSet)(nil).Diff(want)
		n = list{want: want, large: v.name("listed", id)}
		return n, v.fill(a, n.large, all)
	}
	n.recent = n.recent.With(added...)
	n.small = ""
	if n.recent.Len() == 0 {
		return n, nil
	}
	n.small = v.name("recent", id)
	return n, v.fill(a, n.small, slices.Collect(n.recent.All()))
}

func (v *Vantage) name(what string, id blocker.RuleID) string {
	v.serial++
	return fmt.Sprintf("%s%d-%d-", what, id, v.serial)
}

// fill makes the sets of a name, with these prefixes in them.
func (v *Vantage) fill(a *ahead, name string, prefixes []netip.Prefix) error {
	fits := v.fits(a.batch, len(prefixes))
	b := a.batch
	if !fits {
		b = nft.New(table)
	}
	for _, f := range families {
		b.Set(nft.Set{Name: name + f.name, Fields: []int{f.length}, Interval: true})
	}
	if fits {
		a.pending.sets = append(a.pending.sets, names(name)...)
		insert(b, name, prefixes)
		return nil
	}
	if err := v.commit(b); err != nil {
		return err
	}
	a.made.sets = append(a.made.sets, names(name)...)
	return v.pour(prefixes, func(b *nft.Batch, p []netip.Prefix) { insert(b, name, p) })
}

// withdraw takes out of the large set what is gone.
func (v *Vantage) withdraw(t *list) error {
	err := v.pour(t.gone, func(b *nft.Batch, p []netip.Prefix) {
		for _, f := range families {
			b.Delete(t.large+f.name, elements(f, p)...)
		}
	})
	t.gone, t.spoilt = nil, err != nil
	return err
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
		if err := v.commit(b); err != nil {
			return err
		}
	}
	return nil
}

func insert(b *nft.Batch, name string, prefixes []netip.Prefix) {
	for _, f := range families {
		b.Add(name+f.name, elements(f, prefixes)...)
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
