package policy_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// candidates makes one candidate for each share, all active.
func candidates(shares ...int) []policy.Candidate {
	total := 0
	for _, s := range shares {
		total += s
	}
	before := 0
	cs := make([]policy.Candidate, 0, len(shares))
	for n, s := range shares {
		cs = append(cs, policy.Candidate{Slot: n, Share: s, Before: before, Total: total})
		before += s
	}
	return cs
}

// first is the slot of the highest score, as a lease would choose.
func first(s policy.Selector, q policy.Query, cs []policy.Candidate) int {
	best, score := -1, math.Inf(-1)
	for _, c := range cs {
		if v := s.Score(q, c); v > score {
			best, score = c.Slot, v
		}
	}
	return best
}

func client(n int) policy.Query {
	return policy.Query{Client: policy.Hash(fmt.Sprintf("client %d", n))}
}

func TestStickyMovesOnlyWhoMust(t *testing.T) {
	const clients, lost = 5000, 3
	all := candidates(1, 1, 1, 1, 1, 1, 1, 1)
	left := append(candidates(1, 1, 1), all[lost+1:]...)
	got := make(map[int]int)
	for n := range clients {
		before, after := first(policy.Sticky, client(n), all), first(policy.Sticky, client(n), left)
		switch {
		case before == lost:
			got[after]++
		case after != before:
			t.Fatalf("client %d moved from slot %d, which is still there, to %d", n, before, after)
		}
	}
	// Those who must move spread over all that is left, by equal parts.
	for _, c := range left {
		if got[c.Slot] < clients/8/7/2 {
			t.Errorf("slot %d took over %d clients of %d", c.Slot, got[c.Slot], clients/8)
		}
	}
}

func TestStickyEpoch(t *testing.T) {
	all := candidates(1, 1, 1, 1, 1, 1, 1, 1)
	const clients = 4000
	moved := 0
	for n := range clients {
		q := client(n)
		before := first(policy.Sticky, q, all)
		if again := first(policy.Sticky, q, all); again != before {
			t.Fatalf("client %d: %d, then %d", n, before, again)
		}
		q.Epoch++
		if first(policy.Sticky, q, all) != before {
			moved++
		}
	}
	near(t, "clients that a rotation moves", float64(moved), clients*7./8, .05)
}

func TestWeights(t *testing.T) {
	shares := []int{1, 2, 5}
	for _, name := range []string{"sticky", "random", "round-robin", "least-latency"} {
		t.Run(name, func(t *testing.T) {
			s, err := policy.SelectorByName(name)
			if err != nil {
				t.Fatal(err)
			}
			cs := candidates(shares...)
			const requests = 16000
			counts := make([]float64, len(shares))
			for n := range requests {
				q := client(n)
				q.Turn, q.Draw = uint64(n), policy.Mix(uint64(n))
				counts[first(s, q, cs)]++
			}
			for n, share := range shares {
				near(t, fmt.Sprintf("requests of weight %d", share), counts[n], requests*float64(share)/8, .08)
			}
		})
	}
}

func TestRoundRobinTakesTurns(t *testing.T) {
	cs := candidates(1, 3, 2)
	var order []string
	for n := range 12 {
		order = append(order, fmt.Sprint(first(policy.RoundRobin, policy.Query{Turn: uint64(n)}, cs)))
	}
	if got, want := strings.Join(order, ""), "011122011122"; got != want {
		t.Errorf("turns: want %s, got %s", want, got)
	}
	// The second choice is the one whose turn is next.
	if got := first(policy.RoundRobin, policy.Query{Turn: 2}, []policy.Candidate{cs[0], cs[2]}); got != 2 {
		t.Errorf("second choice after slot 1: want slot 2, got %d", got)
	}
}

func TestRandomDrawsAnew(t *testing.T) {
	cs := candidates(1, 1, 1, 1)
	seen := make(map[int]bool)
	for n := range 100 {
		q := client(1)
		q.Draw = policy.Mix(uint64(n))
		seen[first(policy.Random, q, cs)] = true
	}
	if len(seen) != len(cs) {
		t.Errorf("one client reaches %d of %d slots", len(seen), len(cs))
	}
}

func TestLeastLatency(t *testing.T) {
	tests := []struct {
		name string
		rtts []time.Duration
		want []int // the slots that may come first
	}{
		{"the fastest", []time.Duration{80 * time.Millisecond, 40 * time.Millisecond, 200 * time.Millisecond}, []int{1}},
		{"unknown before slow", []time.Duration{400 * time.Millisecond, 0}, []int{1}},
		{"known and fair before unknown", []time.Duration{150 * time.Millisecond, 0}, []int{0}},
		{"below the floor all are equal", []time.Duration{time.Millisecond, 9 * time.Millisecond}, []int{0, 1}},
		{"near ones are equal", []time.Duration{41 * time.Millisecond, 45 * time.Millisecond}, []int{0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cs := candidates(make([]int, len(tt.rtts))...)
			for n := range cs {
				cs[n].Share, cs[n].RTT = 1, tt.rtts[n]
			}
			got := make(map[int]int)
			for n := range 400 {
				got[first(policy.LeastLatency, client(n), cs)]++
			}
			if len(got) != len(tt.want) {
				t.Fatalf("first choices: want %v, got %v", tt.want, got)
			}
			for _, s := range tt.want {
				if got[s] == 0 {
					t.Errorf("slot %d is never first: %v", s, got)
				}
			}
		})
	}
}

func TestSelectorByName(t *testing.T) {
	for _, n := range policy.SelectorNames() {
		if s, err := policy.SelectorByName(n); s == nil || err != nil {
			t.Errorf("%s: %v, %v", n, s, err)
		}
	}
	_, err := policy.SelectorByName("fastest")
	if err == nil {
		t.Fatal("an unknown name must be an error")
	}
	for _, n := range append(policy.SelectorNames(), "fastest") {
		if !strings.Contains(err.Error(), n) {
			t.Errorf("the error does not name %q: %v", n, err)
		}
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*want {
		t.Errorf("%s: want %.0f within %.0f %%, got %.0f", what, want, 100*tolerance, got)
	}
}
