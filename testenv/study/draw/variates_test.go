package draw_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/study/draw"
)

// follows fails unless values are distributed as said (Kolmogorov and Smirnov, at a
// level of one in ten thousand).
func follows(t *testing.T, name string, values []float64, below func(float64) float64) {
	t.Helper()
	slices.Sort(values)
	n := float64(len(values))
	var worst float64
	for i, v := range values {
		p := below(v)
		worst = max(worst, p-float64(i)/n, float64(i+1)/n-p)
	}
	if limit := 2.23 / math.Sqrt(n); worst > limit {
		t.Errorf("%s: the distributions differ by %g, more than %g", name, worst, limit)
	}
}

const variates = 200_000

func TestExponential(t *testing.T) {
	key := draw.For(1, "exponential")
	values := make([]float64, variates)
	for i := range values {
		s := key.At(uint64(i), 0)
		values[i] = s.Exponential()
	}
	follows(t, "exponential", values, func(x float64) float64 { return 1 - math.Exp(-x) })
}

func TestNormal(t *testing.T) {
	key := draw.For(1, "normal")
	values := make([]float64, variates)
	for i := range values {
		s := key.At(uint64(i), 0)
		values[i] = s.Normal()
	}
	follows(t, "normal", values, func(x float64) float64 { return .5 * math.Erfc(-x/math.Sqrt2) })
}

// counted draws many times and counts what comes, up to a limit.
func counted(key draw.Key, limit int, next func(s *draw.Stream) int) []int {
	counts := make([]int, limit)
	for i := range uint64(variates) {
		s := key.At(i, 0)
		counts[min(next(&s), limit-1)]++
	}
	return counts
}

func logChoose(n, k float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}

func TestPoisson(t *testing.T) {
	for _, mean := range []float64{.1, 1, 5, 9.99, 10, 10.5, 20, 200, 5000} {
		limit := int(mean+12*math.Sqrt(mean)) + 12
		counts := counted(draw.For(1, fmt.Sprint("poisson", mean)), limit, func(s *draw.Stream) int { return s.Poisson(mean) })
		fits(t, fmt.Sprint("Poisson with mean ", mean), counts, func(k int) float64 {
			l, _ := math.Lgamma(float64(k) + 1)
			return variates * math.Exp(float64(k)*math.Log(mean)-mean-l)
		})
	}
}

func TestBinomial(t *testing.T) {
	for _, c := range []struct {
		n int
		p float64
	}{{1, .3}, {10, .5}, {10, .9}, {1000, .001}, {1000, .0099}, {1000, .0101}, {40, .3}, {100, .5}, {10_000, .7}, {10_000, .999}} {
		counts := counted(draw.For(1, fmt.Sprint("binomial", c)), c.n+1, func(s *draw.Stream) int { return s.Binomial(c.n, c.p) })
		fits(t, fmt.Sprintf("binomial %d, %g", c.n, c.p), counts, func(k int) float64 {
			n, k64 := float64(c.n), float64(k)
			return variates * math.Exp(logChoose(n, k64)+k64*math.Log(c.p)+(n-k64)*math.Log1p(-c.p))
		})
	}
}

func TestFailures(t *testing.T) {
	for _, p := range []float64{.9, .25, .009, .011} {
		counts := counted(draw.For(1, fmt.Sprint("failures", p)), int(20/p), func(s *draw.Stream) int { return s.Failures(p) })
		fits(t, fmt.Sprint("failures before ", p), counts, func(k int) float64 {
			return variates * p * math.Pow(1-p, float64(k))
		})
	}
}

func TestEdges(t *testing.T) {
	s := draw.For(1, "edges").At(0, 0)
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"Poisson of nothing", s.Poisson(0), 0},
		{"Poisson of less", s.Poisson(-1), 0},
		{"Poisson of no number", s.Poisson(math.NaN()), 0},
		{"no tries", s.Binomial(0, .5), 0},
		{"never", s.Binomial(10, 0), 0},
		{"always", s.Binomial(10, 1), 10},
		{"no number", s.Binomial(10, math.NaN()), 0},
		{"fails for ever", s.Failures(0), math.MaxInt},
		{"fails nearly for ever", s.Failures(0x1p-1000), math.MaxInt},
		{"never fails", s.Failures(1), 0},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.name, c.got, c.want)
		}
	}
}

func TestHappens(t *testing.T) {
	key := draw.For(1, "happens")
	hits := 0
	for i := range uint64(variates) {
		s := key.At(i, 0)
		if s.Happens(.05) {
			hits++
		}
		if s.Happens(0) || !s.Happens(1) {
			t.Fatal("the impossible happens, or the certain does not")
		}
	}
	fits(t, "happens", []int{hits, variates - hits}, func(i int) float64 { return variates * []float64{.05, .95}[i] })
}

func TestShuffle(t *testing.T) {
	key := draw.For(1, "shuffle")
	counts := make([]int, 256)
	for i := range uint64(24_000) {
		s := key.At(i, 0)
		order := [4]int{0, 1, 2, 3}
		s.Shuffle(4, func(i, j int) { order[i], order[j] = order[j], order[i] })
		counts[order[0]<<6|order[1]<<4|order[2]<<2|order[3]]++
	}
	var seen []int
	for _, c := range counts {
		if c > 0 {
			seen = append(seen, c)
		}
	}
	if len(seen) != 24 {
		t.Fatalf("%d orders of 24", len(seen))
	}
	fits(t, "orders", seen, even(24_000, 24))
}

func TestChoose(t *testing.T) {
	for _, c := range []struct{ k, n int }{{3, 5}, {1, 7}, {4, 4}, {40, 60}, {40, 200}, {40, 100_000}, {0, 3}} {
		key := draw.For(1, fmt.Sprint("choose", c))
		const runs = 20_000
		const cells = 60 // what is drawn first, and last: each is uniform
		first, last := make([]int, min(c.n, cells)), make([]int, min(c.n, cells))
		into := make([]int, c.k)
		for i := range uint64(runs) {
			s := key.At(i, 0)
			s.Choose(into, c.n)
			if c.k == 0 {
				continue
			}
			first[into[0]*len(first)/c.n]++
			last[into[c.k-1]*len(last)/c.n]++
			slices.Sort(into)
			if into[0] < 0 || into[c.k-1] >= c.n || len(slices.Compact(into)) != c.k {
				t.Fatalf("%d of %d: %v", c.k, c.n, into)
			}
		}
		if c.k > 0 && c.n > 1 {
			cell := func(i int) float64 {
				size := len(first)
				lo, hi := (i*c.n+size-1)/size, ((i+1)*c.n+size-1)/size
				return runs * float64(hi-lo) / float64(c.n)
			}
			fits(t, fmt.Sprint("first of ", c), first, cell)
			fits(t, fmt.Sprint("last of ", c), last, cell)
		}
	}
}

// Every ordered choice of 3 out of 5 is equally likely.
func TestChooseIsWithoutPreference(t *testing.T) {
	key := draw.For(2, "choose")
	counts := make(map[[3]int]int)
	for i := range uint64(60_000) {
		var into [3]int
		s := key.At(i, 0)
		s.Choose(into[:], 5)
		counts[into]++
	}
	var seen []int
	for _, c := range counts {
		seen = append(seen, c)
	}
	if len(seen) != 60 {
		t.Fatalf("%d choices of 60", len(seen))
	}
	fits(t, "choices", seen, even(60_000, 60))
}

func TestMisuse(t *testing.T) {
	for name, use := range map[string]func(s *draw.Stream){
		"below nothing":          func(s *draw.Stream) { s.Below(0) },
		"a negative shuffle":     func(s *draw.Stream) { s.Shuffle(-1, func(int, int) {}) },
		"more than there is":     func(s *draw.Stream) { s.Choose(make([]int, 3), 2) },
		"below a negative bound": func(s *draw.Stream) { s.Below(-3) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is no panic", name)
				}
			}()
			s := draw.For(1, "misuse").At(0, 0)
			use(&s)
		}()
	}
}
