package draw_test

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/study/draw"
)

// fits fails unless counts are as likely as they should be: chi-squared within 4
// standard deviations of its mean, on either side. Cells with less than 5 expected
// are pooled.
func fits(t *testing.T, name string, counts []int, expected func(i int) float64) {
	t.Helper()
	var chi, pooledCount, pooledExpected float64
	cells := 0
	cell := func(count, expected float64) {
		chi += (count - expected) * (count - expected) / expected
		cells++
	}
	for i, c := range counts {
		if e := expected(i); e >= 5 {
			cell(float64(c), e)
		} else {
			pooledCount += float64(c)
			pooledExpected += e
		}
	}
	if pooledExpected >= 1 {
		cell(pooledCount, pooledExpected)
	} else if pooledCount > 10 {
		t.Errorf("%s: %g where %g are expected", name, pooledCount, pooledExpected)
	}
	freedom := float64(cells - 1)
	if z := (chi - freedom) / math.Sqrt(2*freedom); math.Abs(z) > 4 {
		t.Errorf("%s: chi-squared is %.1f with %g degrees of freedom", name, chi, freedom)
	}
}

func even(n, cells int) func(int) float64 {
	return func(int) float64 { return float64(n) / float64(cells) }
}

// TestNeighboursAreIndependent counts what neighbouring names draw, in pairs: a
// mixing function that is too weak shows there first.
func TestNeighboursAreIndependent(t *testing.T) {
	const n, side = 1 << 17, 32
	key := draw.For(1, "a")
	for _, c := range []struct {
		name string
		pair func(i uint64) (a, b float64)
	}{
		{"entities", func(i uint64) (a, b float64) { return key.Unit(i, 0), key.Unit(i+1, 0) }},
		{"far entities", func(i uint64) (a, b float64) { return key.Unit(i<<32, 0), key.Unit((i+1)<<32, 0) }},
		{"ordinals", func(i uint64) (a, b float64) { return key.Unit(7, uint32(i)), key.Unit(7, uint32(i)+1) }},
		{"entity and ordinal", func(i uint64) (a, b float64) { return key.Unit(i, 1), key.Unit(i+1, 0) }},
		{"seeds", func(i uint64) (a, b float64) { return draw.For(i, "a").Unit(0, 0), draw.For(i+1, "a").Unit(0, 0) }},
		{"concerns", func(i uint64) (a, b float64) {
			return draw.For(i, "a").Unit(0, 0), draw.For(i, "b").Unit(0, 0)
		}},
		{"words of a stream", func(i uint64) (a, b float64) {
			s := key.At(i, 3)
			return s.Unit(), s.Unit()
		}},
	} {
		counts := make([]int, side*side)
		for i := range uint64(n) {
			a, b := c.pair(i)
			counts[int(a*side)*side+int(b*side)]++
		}
		fits(t, c.name, counts, even(n, side*side))
	}
}

// TestEachBitMatters flips each bit of a name: every bit of the draw must change
// half the time.
func TestEachBitMatters(t *testing.T) {
	const n = 4096
	word := func(seed, entity uint64, ordinal uint32) uint64 {
		s := draw.For(seed, "a").At(entity, ordinal)
		return s.Uint64()
	}
	random := rand.New(rand.NewPCG(1, 2))
	for bit := range 160 {
		var changed [64]int
		for range n {
			seed, entity, ordinal := random.Uint64(), random.Uint64(), random.Uint32()
			before := word(seed, entity, ordinal)
			switch {
			case bit < 64:
				seed ^= 1 << bit
			case bit < 128:
				entity ^= 1 << (bit - 64)
			default:
				ordinal ^= 1 << (bit - 128)
			}
			for d := before ^ word(seed, entity, ordinal); d != 0; d &= d - 1 {
				changed[bits.TrailingZeros64(d)]++
			}
		}
		for out, c := range changed {
			// Of 10,240 pairs of bits the worst is at 4 standard deviations.
			if z := (float64(c) - n/2) / math.Sqrt(n/4); math.Abs(z) > 5 {
				t.Errorf("bit %d of the name changes bit %d of the draw %d times of %d", bit, out, c, n)
			}
		}
	}
}

// A stream is its name's alone: what is drawn elsewhere, and in which order, makes no
// difference.
func TestStreamsAreNames(t *testing.T) {
	key := draw.For(5, "waits")
	first, second := key.At(1, 1), key.At(2, 1)
	var together, apart [8]uint64
	for i := range 4 {
		together[i], together[4+i] = first.Uint64(), second.Uint64()
	}
	second = key.At(2, 1)
	for i := range 4 {
		apart[4+i] = second.Uint64()
	}
	first = key.At(1, 1)
	for i := range 4 {
		apart[i] = first.Uint64()
	}
	if together != apart {
		t.Errorf("drawn in turn %x, one after the other %x", together, apart)
	}
	if s := key.At(1, 1); key.Unit(1, 1) != s.Unit() {
		t.Error("Key.Unit is not the first unit of the stream")
	}
	if draw.For(5, "waits") == draw.For(5, "waitz") || draw.For(5, "waits") == draw.For(6, "waits") {
		t.Error("two names, one key")
	}
}

func TestUnit(t *testing.T) {
	s := draw.For(1, "units").At(0, 0)
	const n = 1 << 20
	var sum float64
	for range n {
		u := s.Unit()
		if u <= 0 || u >= 1 {
			t.Fatalf("%g is not between 0 and 1", u)
		}
		sum += u
	}
	if mean := sum / n; math.Abs(mean-.5) > 4*math.Sqrt(1./12/n) {
		t.Errorf("the mean is %g", mean)
	}
}

func TestBelow(t *testing.T) {
	s := draw.For(1, "below").At(0, 0)
	const n = 100_000
	for _, m := range []int{1, 2, 3, 10, 255, 256} {
		counts := make([]int, m)
		for range n {
			counts[s.Below(m)]++
		}
		if m > 1 {
			fits(t, fmt.Sprint("below ", m), counts, even(n, m))
		}
	}
	// So many have 2 2/3 words each: one in three would be drawn less often.
	const most = 3 << (bits.UintSize - 3)
	counts := make([]int, 3)
	for range n {
		counts[s.Below(most)%3]++
	}
	fits(t, "below most", counts, even(n, 3))
}

// It serves what wants a *rand.Rand, such as a strategy of the blocker.
func TestStreamIsSource(t *testing.T) {
	s := draw.For(1, "source").At(0, 0)
	r := rand.New(&s)
	counts := make([]int, 10)
	for range 10_000 {
		counts[r.IntN(10)]++
	}
	fits(t, "rand.Rand", counts, even(10_000, 10))
}

func TestNothingAllocates(t *testing.T) {
	key := draw.For(1, "allocations")
	var into [100]int
	var sum float64
	n := uint64(0)
	if got := testing.AllocsPerRun(100, func() {
		n++
		s := key.At(n, 0)
		sum += s.Unit() + s.Normal() + s.Exponential() + float64(s.Poisson(3)+s.Poisson(300)+s.Binomial(100, .5)+s.Failures(.1))
		s.Choose(into[:10], 1000)
		s.Choose(into[:], 200)
	}); got != 0 {
		t.Errorf("%g allocations", got)
	}
}
