package blocker_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

func TestComplement(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	address := func() netip.Addr {
		if rng.IntN(3) == 0 {
			return netip.AddrFrom16([16]byte{0x2a, byte(rng.IntN(4)), byte(rng.Uint32())})
		}
		return netip.AddrFrom4([4]byte{52, byte(rng.IntN(4)), byte(rng.Uint32()), byte(rng.Uint32())})
	}
	for n := range 50 {
		var s *blocker.PrefixSet
		for range n {
			a := address()
			s = s.With(netip.PrefixFrom(a, rng.IntN(a.BitLen()+1)/(1+n%3)))
		}
		c := s.Complement()
		if got := s.Addresses() + c.Addresses(); got != 1<<32 {
			t.Fatalf("%d prefixes: set and complement have %d addresses together", n, got)
		}
		for range 500 {
			if a := address(); s.Contains(a) == c.Contains(a) {
				t.Fatalf("%d prefixes: %v is in both, or in neither", n, a)
			}
		}
		if twice := c.Complement(); twice.Addresses() != s.Addresses() {
			t.Fatalf("%d prefixes: the complement's complement is another set", n)
		}
	}
}
