package stat_test

import (
	"math"
	"slices"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/study/draw"
	"github.com/paperplane-relay/paperplane/testenv/study/stat"
)

func TestSample(t *testing.T) {
	var s stat.Sample
	if !math.IsNaN(s.Mean()) || !math.IsNaN(s.SD()) {
		t.Errorf("nothing has mean %g and deviation %g", s.Mean(), s.SD())
	}
	for _, x := range []float64{2, 4, math.NaN(), 4, 4, 5, 5, 7, 9} {
		s.Add(x)
	}
	if s.N() != 8 || s.Mean() != 5 || math.Abs(s.SD()-math.Sqrt(32./7)) > 1e-12 {
		t.Errorf("%d numbers of mean %g, deviation %g", s.N(), s.Mean(), s.SD())
	}
	low, high := s.Interval()
	if half := 2.3646 * math.Sqrt(32./7/8); math.Abs(low-5+half) > 1e-3 || math.Abs(high-5-half) > 1e-3 {
		t.Errorf("interval from %g to %g", low, high)
	}
}

// The quantiles are those that are printed in every table.
func TestT(t *testing.T) {
	for freedom, want := range map[int]float64{
		1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 10: 2.228, 29: 2.045, 30: 2.042, 100: 1.984, 1000: 1.962, 1_000_000: 1.960,
	} {
		if got := stat.T(freedom); math.Abs(got-want) > 6e-4 {
			t.Errorf("%d degrees of freedom: %.4f, want %.3f", freedom, got, want)
		}
	}
}

// Intervals hold the truth as often as they say.
func TestIntervalsHold(t *testing.T) {
	key := draw.For(1, "intervals")
	const runs = 20_000
	held := 0
	for i := range uint64(runs) {
		d := key.At(i, 0)
		var s stat.Sample
		for range 5 {
			s.Add(3 + d.Normal())
		}
		if low, high := s.Interval(); low <= 3 && 3 <= high {
			held++
		}
	}
	if share := float64(held) / runs; math.Abs(share-.95) > 4*math.Sqrt(.95*.05/runs) {
		t.Errorf("%.4f of the intervals hold the mean", share)
	}
}

func TestQuantile(t *testing.T) {
	for share, want := range map[float64]float64{0: 1, .25: 1.75, .5: 2.5, 1: 4} {
		if got := stat.Quantile([]float64{4, 1, 3, 2}, share); got != want {
			t.Errorf("%g: %g, want %g", share, got, want)
		}
	}
	if !math.IsNaN(stat.Quantile(nil, .5)) {
		t.Error("there is a median of nothing")
	}
}

// TestSurvivors is the example of Kaplan and Meier's that is in every textbook: remission
// under 6-MP (Gehan 1965), 21 patients of whom 12 went out of sight.
func TestSurvivors(t *testing.T) {
	var l stat.Lifetimes
	for _, d := range []int{6, 6, 6, 7, 10, 13, 16, 22, 23} {
		l.End(d)
	}
	for _, d := range []int{6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35} {
		l.Censor(d)
	}
	s := l.Survivors()
	for at, want := range map[int]float64{5: 1, 6: .8571, 7: .8067, 10: .7529, 13: .6902, 16: .6275, 22: .5378, 23: .4482, 35: .4482} {
		if math.Abs(s[at]-want) > 5e-5 {
			t.Errorf("after %d: %.4f, want %.4f", at, s[at], want)
		}
	}
	if m, ok := l.Median(); !ok || m != 23 {
		t.Errorf("median %d, %t", m, ok)
	}
}

// Without anybody out of sight it is what one counts.
func TestSurvivorsOfAll(t *testing.T) {
	var l stat.Lifetimes
	for _, d := range []int{1, 1, 2, 5} {
		l.End(d)
	}
	if s := l.Survivors(); !slices.Equal(s, []float64{1, .5, .25, .25, .25, 0}) {
		t.Error(s)
	}
	var none stat.Lifetimes
	none.Censor(3)
	if _, ok := none.Median(); ok {
		t.Error("nobody has died, and half have")
	}
	if _, ok := new(stat.Lifetimes).Median(); ok {
		t.Error("half of nobody have died")
	}
}
