package blocker_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// outer is what lies in no other prefix, found the slow way.
func outer(s *blocker.PrefixSet) map[netip.Prefix]bool {
	m := make(map[netip.Prefix]bool)
	for p := range s.All() {
		within := false
		for q := range s.All() {
			within = within || q != p && q.Bits() <= p.Bits() && q.Contains(p.Addr())
		}
		if !within {
			m[p] = true
		}
	}
	return m
}

// The difference turns one list into the other, exactly.
func FuzzDiff(f *testing.F) {
	f.Add([]byte{0, 52, 58, 0, 0, 15, 1, 52, 58, 4, 0, 24, 2, 52, 58, 0, 0, 15})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 128, 0, 0, 0, 1, 0, 1, 2, 3, 4, 32})
	f.Add([]byte{0, 10, 0, 0, 0, 8, 1, 10, 0, 0, 0, 9, 1, 10, 128, 0, 0, 9})
	f.Add([]byte{0, 10, 0, 0, 0, 9, 0, 10, 128, 0, 0, 9, 1, 10, 0, 0, 0, 8, 4, 1, 1, 1, 1, 16})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, next *blocker.PrefixSet
		for ; len(b) >= 6; b = b[6:] {
			a := netip.AddrFrom4([4]byte(b[1:5]))
			p := netip.PrefixFrom(a, int(b[5])%33).Masked()
			if b[0]&4 != 0 {
				p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, b[1], b[2]}), int(b[5])%65).Masked()
			}
			switch b[0] % 4 {
			case 0:
				s = s.With(p)
				next = next.With(p)
			case 1:
				next = next.With(p)
			case 2:
				next = next.Without(p)
			case 3:
				s = s.With(p)
			}
		}
		list := outer(s)
		gone, added := s.Diff(next)
		for _, p := range gone {
			if !list[p] {
				t.Fatalf("%v is to go, and is not there", p)
			}
			delete(list, p)
		}
		for _, p := range added {
			if list[p] {
				t.Fatalf("%v is to come, and is there", p)
			}
			list[p] = true
		}
		want := outer(next)
		for p := range want {
			if !list[p] {
				t.Errorf("%v is missing", p)
			}
		}
		if len(list) != len(want) {
			t.Errorf("%d blocks, want %d", len(list), len(want))
		}
	})
}

func TestDiffOfManyIsShort(t *testing.T) {
	s := many()
	p := netip.MustParsePrefix("203.0.113.0/24")
	gone, added := s.Diff(s.With(p))
	if len(gone) != 0 || !slices.Equal(added, []netip.Prefix{p}) {
		t.Errorf("%d gone and %v added, want one", len(gone), added)
	}
	if allocs := testing.AllocsPerRun(10, func() { s.Diff(s.With(p)) }); allocs > 100 {
		t.Errorf("%.0f allocations", allocs)
	}
}

// many is a set of about 100,000 prefixes.
func many() *blocker.PrefixSet {
	draws := rand.New(rand.NewPCG(1, 2))
	all := make([]netip.Prefix, 100_000)
	for i := range all {
		a := draws.Uint32()%0x60000000 + 0x01000000
		all[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8)}), 24)
	}
	return blocker.NewPrefixSet(all...)
}

func TestTerms(t *testing.T) {
	for _, c := range []struct {
		do   blocker.Action
		want blocker.Terms
	}{
		{blocker.Drop(), blocker.Terms{}},
		{blocker.Reset(), blocker.Terms{Deed: blocker.Resets}},
		{blocker.Reject().Lingering(time.Minute).Renewing(), blocker.Terms{Deed: blocker.Rejects, Window: time.Minute, Renews: true}},
		{blocker.Freeze(9).Counting(blocker.Up), blocker.Terms{Deed: blocker.Freezes, Bytes: 9, Count: blocker.Up}},
		{blocker.FreezePackets(9), blocker.Terms{Deed: blocker.Freezes, Packets: 9}},
		{blocker.Police(1e5), blocker.Terms{Deed: blocker.Polices, Rate: 1e5, Burst: 5e4}},
		{blocker.Police(1), blocker.Terms{Deed: blocker.Polices, Rate: 1, Burst: 16 << 10}},
	} {
		if got := c.do.Terms(); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.do, got, c.want)
		}
	}
}

func TestInForce(t *testing.T) {
	at := time.Date(2018, 4, 16, 12, 0, 0, 0, time.UTC)
	rules, first := (*blocker.RuleSet)(nil).With(blocker.Rule{When: blocker.When{Until: at}})
	rules, second := rules.With(blocker.Rule{When: blocker.When{From: at}})
	force := func(now time.Time) (ids []blocker.RuleID) {
		for id := range rules.InForce(now) {
			ids = append(ids, id)
		}
		return ids
	}
	if got := force(at.Add(-1)); !slices.Equal(got, []blocker.RuleID{first}) {
		t.Errorf("before: %v", got)
	}
	if got := force(at); !slices.Equal(got, []blocker.RuleID{second}) {
		t.Errorf("then: %v", got)
	}
	if got := rules.NextChange(at.Add(-time.Hour)); !got.Equal(at) {
		t.Errorf("the next change is at %v", got)
	}
	if got := (*blocker.RuleSet)(nil).NextChange(at); !got.IsZero() {
		t.Errorf("no rules change at %v", got)
	}
}
