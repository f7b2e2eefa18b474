package blocker_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

func TestPrefixSetAddresses(t *testing.T) {
	s := blocker.NewPrefixSet(
		netip.MustParsePrefix("52.58.0.0/15"), netip.MustParsePrefix("18.196.0.0/15"),
		netip.MustParsePrefix("18.194.0.0/15"), netip.MustParsePrefix("35.156.0.0/14"),
		netip.MustParsePrefix("52.58.4.0/24"), netip.MustParsePrefix("2001:db8::/32"),
	)
	if got := s.Addresses(); got != 655_360 {
		t.Errorf("%d addresses, want the 655,360 of 16 April 2018", got)
	}
	if s.Len() != 6 || !s.Contains(netip.MustParseAddr("2001:db8::1")) || !s.Contains(netip.MustParseAddr("::ffff:52.59.255.255")) {
		t.Error("members are missing")
	}
	if s = s.Without(netip.MustParsePrefix("52.58.0.0/15")); !s.Contains(netip.MustParseAddr("52.58.4.9")) || s.Contains(netip.MustParseAddr("52.58.5.9")) {
		t.Error("a prefix within a removed one must stay, and nothing else")
	}
}

// The set is held against a plain map.
func FuzzPrefixSet(f *testing.F) {
	f.Add([]byte{0, 52, 58, 0, 0, 15, 0, 52, 58, 4, 0, 24, 1, 52, 58, 0, 0, 15})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 32, 0, 1, 2, 3, 5, 32, 1, 1, 2, 3, 4, 32})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s *blocker.PrefixSet
		plain := make(map[netip.Prefix]bool)
		var probes []netip.Addr
		for ; len(b) >= 6; b = b[6:] {
			a := netip.AddrFrom4([4]byte(b[1:5]))
			p := netip.PrefixFrom(a, int(b[5])%33).Masked()
			probes = append(probes, a, p.Addr(), p.Addr().Prev())
			before := slices.Collect(s.All())
			old := s
			if b[0]%2 == 0 {
				s = s.With(p)
				plain[p] = true
			} else {
				s = s.Without(p)
				delete(plain, p)
			}
			if !slices.Equal(before, slices.Collect(old.All())) {
				t.Fatal("an older set has changed")
			}
		}
		if s.Len() != len(plain) {
			t.Fatalf("%d prefixes, want %d", s.Len(), len(plain))
		}
		for p := range s.All() {
			if !plain[p] || !s.Has(p) {
				t.Fatalf("%v should not be there", p)
			}
		}
		for _, a := range probes {
			want := false
			for p := range plain {
				want = want || p.Contains(a)
			}
			if a.IsValid() && s.Contains(a) != want {
				t.Fatalf("%v: %v, want %v", a, !want, want)
			}
		}
	})
}

func BenchmarkPrefixSet(b *testing.B) {
	for _, n := range []int{100, 10_000, 1_000_000} {
		rng := rand.New(rand.NewPCG(1, 2))
		addr := func() netip.Addr {
			var a [4]byte
			binary.BigEndian.PutUint32(a[:], rng.Uint32())
			return netip.AddrFrom4(a)
		}
		prefixes := make([]netip.Prefix, n)
		for i := range prefixes {
			prefixes[i] = netip.PrefixFrom(addr(), 16+rng.IntN(17))
		}
		s := blocker.NewPrefixSet(prefixes...)
		b.Run(fmt.Sprintf("contains/%d", n), func(b *testing.B) {
			for b.Loop() {
				s.Contains(addr())
			}
		})
		b.Run(fmt.Sprintf("with/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.With(netip.PrefixFrom(addr(), 24))
			}
		})
	}
}
