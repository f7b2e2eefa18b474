package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// The reserve that is chosen is the best by counting all records anew, whatever
// has happened before, and among equals it is anybody.
func TestBestByRecount(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	at := time.Unix(1524000000, 0)
	ties, alarms := 0, make(map[alarm]int)
	for seed := range uint64(20) {
		g, err := NewGroup(Limits{Active: 6}, seed)
		if err != nil {
			t.Fatal(err)
		}
		anywhere := func(i int) Spec {
			addr := netip.AddrFrom4([4]byte{52, byte(r.IntN(7)), byte(r.IntN(3) * 20), byte(i)})
			return Spec{Host: addr.String(), Port: 1080, Addr: addr, Provider: []string{"aws", "gcp", "", ""}[r.IntN(4)]}
		}
		for i := range 60 {
			g.Add(anywhere(i), at)
		}
		for range 400 {
			i := r.IntN(g.Len())
			asked := at.Add(-time.Duration(r.IntN(3000)) * time.Millisecond)
			switch r.IntN(9) {
			case 0:
				g.Answered(i, asked, at)
			case 1, 2:
				g.Observe(i, Evidence{Phase: Phase(r.IntN(4)), Outcome: Outcome(r.IntN(12)), Asked: asked, At: at, Elsewhere: r.IntN(2) == 0})
			case 3, 4:
				x := Examination{Asked: asked, At: at, Depth: Depth(r.IntN(2)), Greeting: Outcome(r.IntN(12)), Down: Passage{Outcome: Outcome(r.IntN(12))}}
				if g.records[i].examining {
					g.Examined(i, x, nil)
				}
			case 5:
				switch r.IntN(10) {
				case 0:
					g.Retire(i, at)
				case 1, 2, 3, 4:
					g.Restore(i, anywhere(i), at)
				case 5:
					g.Retire(i, at)
					g.Restore(i, anywhere(i), at) // before it was counted as retired
				}
			case 6:
				if s := g.records[i].State; s == Suspect || s == Probation || s == Reserve && r.IntN(4) == 0 {
					g.condemn(i, at, Conclusion{[]Verdict{Blocked, Frozen, Throttled, Down}[r.IntN(4)], Silent, .9, "by lot"})
				}
			default:
				at = at.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
				g.Advance(at)
			}
			want, least := recount(g, at)
			alarms[least.alarm]++
			got := g.best(at)
			if got < 0 != (len(want) == 0) || got >= 0 && !want[got] {
				t.Fatalf("seed %d: want one of %v, which cost %v, got %d", seed, want, least, got)
			}
			if len(want) == 2 {
				ties++
				for w := range want {
					found := false
					for range 64 {
						found = found || g.best(at) == w
					}
					if !found {
						t.Errorf("%d is as good as any, and never chosen", w)
					}
				}
			}
		}
	}
	if ties == 0 {
		t.Error("there were never two equals")
	}
	if len(alarms) < 3 {
		t.Errorf("the best was always in the same alarm: %v", alarms)
	}
}

// recount finds those of the reserve that cost least, by looking at all records.
func recount(g *Group, at time.Time) (best map[int]bool, least cost) {
	lost, used := make(map[netip.Prefix]int), make(map[netip.Prefix]int)
	providers := make(map[string]int)
	for _, r := range g.records {
		switch {
		case r.State == Active:
			used[r.prefix]++
			providers[r.provider]++
		case (r.State == Dead || r.State == Suspect) && r.Verdict != Misconfigured && r.Verdict != NoEgress:
			lost[r.prefix]++
		}
	}
	best = make(map[int]bool)
	for i, r := range g.records {
		if r.State != Reserve || r.examining {
			continue
		}
		c := cost{other: 3*lost[r.prefix] + 2*used[r.prefix] + providers[r.provider]}
		for _, p := range []float64{g.lore.belief.Around(r.place(), at), g.lore.belief.At(r.place(), at)} {
			c.alarm = max(c.alarm, alarmOf(p))
		}
		if !r.Exposed {
			c.other++
		}
		if r.doubtful() {
			c.other += 3
		}
		if len(best) == 0 || c.less(least) {
			clear(best)
			least = c
		}
		if c == least {
			best[i] = true
		}
	}
	return best, least
}

// BenchmarkAdvance is a look at a group with 64 active endpoints after one has
// answered, and what it takes to lose one and to replace it. The lost are tried
// again later, as they are in a relay.
func BenchmarkAdvance(b *testing.B) {
	for _, size := range []int{100, 10_000, 100_000} {
		start := func(b *testing.B) (*Group, time.Time) {
			b.Helper()
			g, err := NewGroup(Limits{Active: 64}, 1)
			if err != nil {
				b.Fatal(err)
			}
			at := time.Unix(1524000000, 0)
			for i := range size {
				addr := netip.AddrFrom4([4]byte{52, byte(i % 40), byte(i >> 8), byte(i)})
				g.Add(Spec{Host: fmt.Sprint(i), Port: 1080, Addr: addr, Provider: fmt.Sprint("provider ", i%5)}, at)
			}
			g.Advance(at)
			for _, i := range g.Slots() {
				g.Examined(i, Examination{Asked: at, At: at, Depth: Carry, Greeting: Answered, Down: Passage{Outcome: Answered}}, nil)
			}
			g.Advance(at)
			return g, at
		}
		b.Run(fmt.Sprintf("answer/endpoints=%d", size), func(b *testing.B) {
			g, at := start(b)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				at = at.Add(time.Millisecond)
				g.Answered(g.Slots()[n%64], at, at)
				actions, _ := g.Advance(at)
				examined(g, actions, at, -1)
			}
		})
		b.Run(fmt.Sprintf("verdict/endpoints=%d", size), func(b *testing.B) {
			g, at := start(b)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				at = at.Add(time.Millisecond)
				victim := max(g.Slots()[n%64], 0)
				g.Observe(victim, Evidence{Phase: Greeting, Outcome: Reset, Asked: at, At: at})
				actions, _ := g.Advance(at)
				examined(g, actions, at, victim)
				actions, _ = g.Advance(at)
				examined(g, actions, at, -1)
			}
		})
	}
}

// examined answers all examinations that are asked for: all is well, but for
// one.
func examined(g *Group, actions []Action, at time.Time, lost int) {
	for _, a := range actions {
		if a.Kind != Examine {
			continue
		}
		x := Examination{Asked: at, At: at, Depth: a.Depth, Greeting: Answered, Down: Passage{Outcome: Answered}}
		if a.Endpoint == lost {
			x.Greeting, x.Down.Outcome = Reset, None
		}
		g.Examined(a.Endpoint, x, nil)
	}
}
