package blocker_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

func at(h int) time.Time { return epoch.Add(time.Duration(h) * time.Hour) }

func TestRegistry(t *testing.T) {
	inner := netip.MustParsePrefix("52.58.4.0/24")
	var r blocker.Registry
	r.Block(at(1), amazon)
	r.Unblock(at(5), amazon)
	for h, want := range []bool{false, true, true, true, true, false} {
		if got := r.At(at(h)).Contains(endpoint.Addr()); got != want {
			t.Errorf("hour %d: %v", h, got)
		}
	}
	r.Block(at(3), inner) // entered late, for a date that was asked for already
	if !r.At(at(9)).Contains(endpoint.Addr()) || r.At(at(2)).Len() != 1 || r.At(at(3)).Len() != 2 || r.At(at(6)).Len() != 1 {
		t.Error("a change in the middle is not seen afterwards, or is seen before")
	}
	if next, ok := r.Next(at(1)); !ok || !next.Equal(at(3)) {
		t.Errorf("next %v, %v", next, ok)
	}
	if _, ok := r.Next(at(5)); ok {
		t.Error("there is nothing after hour 5")
	}
}

// Whatever order changes are entered in and asked for, the list of a moment is
// what replaying them from the beginning gives.
func TestRegistryAgainstReplay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var r blocker.Registry
	for range 300 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{52, byte(rng.IntN(4)), 0, 0}), 8+rng.IntN(17)).Masked()
		r.Enter(blocker.Change{At: at(rng.IntN(50)), Prefixes: []netip.Prefix{p}, Lift: rng.IntN(2) == 0})
		when := at(rng.IntN(50))
		var want *blocker.PrefixSet
		for _, c := range r.Changes() {
			switch {
			case c.At.After(when):
			case c.Lift:
				want = want.Without(c.Prefixes...)
			default:
				want = want.With(c.Prefixes...)
			}
		}
		if got := r.At(when); !slices.Equal(slices.Collect(got.All()), slices.Collect(want.All())) {
			t.Fatalf("at %v: %v, want %v", when, slices.Collect(got.All()), slices.Collect(want.All()))
		}
	}
}

func TestScript(t *testing.T) {
	var s blocker.Strategy = blocker.Script{
		{At: at(1), Prefixes: []netip.Prefix{amazon}},
		{At: at(2), Prefixes: []netip.Prefix{amazon}, Lift: true},
	}
	var orders []blocker.Change
	for h, want := range []int{0, 1, 1, 0} {
		if s, orders = s.Step(nil, at(h), nil); len(orders) != want {
			t.Errorf("hour %d: %d orders, want %d", h, len(orders), want)
		}
	}
}

func sees(look blocker.Look, addrs ...string) (seen []blocker.Observation) {
	for _, a := range addrs {
		seen = append(seen, blocker.Observation{Server: netip.MustParseAddrPort(a + ":1080"), Look: look})
	}
	return seen
}

func TestEscalation(t *testing.T) {
	levels := []blocker.Level{{Hits: 2, Bits: 24}, {Hits: 3, Bits: 16}}
	for _, test := range []struct {
		name  string
		by    blocker.Escalation
		seen  []blocker.Observation
		lists []string
	}{
		{"the innocent", blocker.Escalation{Wanted: blocker.Socks}, sees(blocker.TLS, "52.58.4.7"), nil},
		{"an address, once", blocker.Escalation{Wanted: blocker.Socks}, sees(blocker.Socks, "52.58.4.7", "52.58.4.7"), []string{"52.58.4.7/32"}},
		{
			"two make a /24",
			blocker.Escalation{Wanted: blocker.Socks, Levels: levels, Budget: 1000},
			sees(blocker.Socks, "52.58.4.7", "52.58.4.9", "52.58.4.11"),
			[]string{"52.58.4.7/32", "52.58.4.9/32", "52.58.4.0/24"},
		},
		{
			"the budget holds",
			blocker.Escalation{Wanted: blocker.Socks, Levels: levels, Budget: 254},
			sees(blocker.Socks, "52.58.4.7", "52.58.4.9", "52.58.5.7", "52.58.5.8"),
			[]string{"52.58.4.7/32", "52.58.4.9/32", "52.58.4.0/24", "52.58.5.7/32", "52.58.5.8/32"},
		},
		{
			"three make a /16",
			blocker.Escalation{Wanted: blocker.Socks, Levels: levels, Budget: 1 << 20},
			sees(blocker.Socks, "52.58.1.1", "52.58.2.2", "52.58.3.3", "52.58.4.4"),
			[]string{"52.58.1.1/32", "52.58.2.2/32", "52.58.3.3/32", "52.58.0.0/16"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			next, orders := test.by.Step(test.seen, epoch, rand.New(rand.NewPCG(1, 2)))
			var got []string
			for _, o := range orders {
				for _, p := range o.Prefixes {
					got = append(got, p.String())
				}
			}
			if !slices.Equal(got, test.lists) {
				t.Errorf("listed %v, want %v", got, test.lists)
			}
			if n := next.(blocker.Escalation).Collateral(); n > test.by.Budget {
				t.Errorf("collateral %d, budget %d", n, test.by.Budget)
			}
			if test.by.Collateral() != 0 {
				t.Error("the strategy that was asked has changed")
			}
		})
	}
}

func TestEscalationRelents(t *testing.T) {
	var s blocker.Strategy = blocker.Escalation{Wanted: blocker.Socks, For: time.Hour, Levels: []blocker.Level{{Hits: 2, Bits: 24}}, Budget: 256}
	draws := rand.New(rand.NewPCG(1, 2))
	var r blocker.Registry
	var orders []blocker.Change
	for h := range 3 {
		var seen []blocker.Observation
		if h != 1 {
			seen = sees(blocker.Socks, "52.58.4.7", "52.58.4.9")
		}
		s, orders = s.Step(seen, at(h), draws)
		for _, o := range orders {
			r.Enter(o)
		}
		if got, want := r.At(at(h)).Len(), []int{3, 0, 3}[h]; got != want {
			t.Errorf("hour %d: %d prefixes listed, want %d", h, got, want)
		}
	}
}

func TestAttentionIsALot(t *testing.T) {
	e := blocker.Escalation{Wanted: blocker.Socks, Attention: 0.25}
	var seen []blocker.Observation
	for i := range 4000 {
		seen = append(seen, sees(blocker.Socks, fmt.Sprintf("52.58.%d.%d", i/256, i%256))...)
	}
	_, orders := e.Step(seen, epoch, rand.New(rand.NewPCG(1, 2)))
	if n := len(orders[0].Prefixes); n < 900 || n > 1100 {
		t.Errorf("%d of 4000 found, want about 1000", n)
	}
}
