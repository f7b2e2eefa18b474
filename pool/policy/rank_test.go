package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Rank gives what asking for the highest score again and again would give, for
// every selector, those of other packages included.
func TestRankIsByScore(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, s := range map[string]policy.Selector{
		"sticky": policy.Sticky, "random": policy.Random, "round-robin": policy.RoundRobin,
		"least-latency": policy.LeastLatency, "own": flat{},
	} {
		t.Run(name, func(t *testing.T) {
			for _, most := range []int{1, 5, 1000} { // the highest weight
				for n := range 300 {
					shares := make([]int, 1+r.IntN(256))
					for i := range shares {
						shares[i] = 1 + r.IntN(most)
					}
					cs := candidates(shares...)
					var among policy.SlotSet
					var left []policy.Candidate
					for i := range cs {
						cs[i].RTT = time.Duration(r.IntN(300)) * time.Millisecond
						if r.IntN(4) > 0 {
							among.Add(i)
							left = append(left, cs[i])
						}
					}
					q := client(n)
					q.Epoch, q.Turn, q.Draw = r.Uint32N(3), r.Uint64(), r.Uint64()
					order := make([]uint8, r.IntN(policy.MaxRank+2))
					got := order[:policy.Rank(s, q, cs, among, order)]
					for _, slot := range got {
						want := first(s, q, left)
						if int(slot) != want {
							t.Fatalf("weights up to %d: want slot %d, got %d of %v", most, want, slot, got)
						}
						left = slices.DeleteFunc(left, func(c policy.Candidate) bool { return c.Slot == want })
					}
					if len(got) < min(len(order), policy.MaxRank) && len(left) > 0 {
						t.Fatalf("%d of %d places filled, and %d candidates left", len(got), len(order), len(left))
					}
				}
			}
		})
	}
}

// flat is a selector to which all are equal.
type flat struct{}

func (flat) Score(policy.Query, policy.Candidate) float64 { return 1 }

// Of 64 slots the clients of the one that is lost move, and nobody else, and
// they are spread by weight.
func TestRankMovesOnlyWhoMust(t *testing.T) {
	const clients, lost = 20_000, 17
	shares := make([]int, 64)
	total := 0
	for i := range shares {
		shares[i] = 1 + i%4
		total += shares[i]
	}
	cs := candidates(shares...)
	var all policy.SlotSet
	for i := range cs {
		all.Add(i)
	}
	var gone policy.SlotSet
	gone.Add(lost)
	got := make([]float64, 5)
	moved := 0.
	var order [1]uint8
	for n := range clients {
		policy.Rank(policy.Sticky, client(n), cs, all, order[:])
		before := order[0]
		policy.Rank(policy.Sticky, client(n), cs, all.Without(gone), order[:])
		if before != lost && order[0] != before {
			t.Fatalf("client %d moved from slot %d, which is still there, to %d", n, before, order[0])
		}
		if before == lost {
			moved++
		}
		got[shares[before]]++
	}
	near(t, "clients that moved", moved, float64(clients*shares[lost])/float64(total), .15)
	for share := 1; share <= 4; share++ {
		near(t, fmt.Sprintf("clients of weight %d", share), got[share], float64(clients*16*share)/float64(total), .05)
	}
}

// BenchmarkRank puts the first eight of all slots in order.
func BenchmarkRank(b *testing.B) {
	for _, slots := range []int{8, 64, 256} {
		for _, name := range []string{"sticky", "least-latency"} {
			s, err := policy.SelectorByName(name)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/slots=%d", name, slots), func(b *testing.B) {
				cs := candidates(slices.Repeat([]int{1}, slots)...)
				var all policy.SlotSet
				for i := range cs {
					all.Add(i)
				}
				var order [policy.MaxRank]uint8
				q := client(1)
				b.ReportAllocs()
				for b.Loop() {
					q.Client = policy.Mix(q.Client)
					policy.Rank(s, q, cs, all, order[:])
				}
			})
		}
	}
}
