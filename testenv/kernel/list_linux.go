package kernel

import (
	"net/netip"

	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// perPrefix is about how many bytes of a transaction a prefix takes.
const perPrefix = 72

// perTransaction bounds how many prefixes one transaction takes, where there is
// room: the kernel holds all of it until the end.
const perTransaction = 100_000

// fits reports whether so many prefixes fit into a transaction with all else
// that it may hold.
func (v *Vantage) fits(b *nft.Batch, prefixes int) bool {
	return prefixes <= perTransaction && b.Size()+prefixes*perPrefix < v.conn.Room()*3/4
}

// pour does something with prefixes in transactions of their own.
func (v *Vantage) pour(l *laid, prefixes []netip.Prefix, do func(*nft.Batch, *laid, []netip.Prefix)) error {
	most := min(perTransaction, v.conn.Room()/perPrefix)
	for len(prefixes) > 0 {
		n := min(most, len(prefixes))
		b := nft.New(table)
		do(b, l, prefixes[:n])
		if err := v.conn.Commit(b); err != nil {
			return err
		}
		prefixes = prefixes[n:]
	}
	return nil
}

func insert(b *nft.Batch, l *laid, prefixes []netip.Prefix) {
	for _, f := range families {
		b.Add(l.addressSet(f), elements(f, prefixes)...)
	}
}

func withdraw(b *nft.Batch, l *laid, prefixes []netip.Prefix) {
	for _, f := range families {
		b.Delete(l.addressSet(f), elements(f, prefixes)...)
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
