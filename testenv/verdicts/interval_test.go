package verdicts_test

import (
	"math"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/verdicts"
)

// The values are those of R: binom::binom.wilson, and qgamma(.95, k+1).
func TestWilson(t *testing.T) {
	for _, test := range []struct {
		hits, n   int
		low, high float64
	}{
		{0, 0, 0, 1},
		{0, 10, 0, .2775},
		{10, 10, .7225, 1},
		{5, 10, .2366, .7634},
		{95, 100, .8882, .9785},
		{188, 188, .9800, 1},
	} {
		low, high := verdicts.Wilson(test.hits, test.n)
		if math.Abs(low-test.low) > 5e-5 || math.Abs(high-test.high) > 5e-5 {
			t.Errorf("%d of %d: %.4f to %.4f, want %.4f to %.4f", test.hits, test.n, low, high, test.low, test.high)
		}
	}
}

func TestPoissonUpper(t *testing.T) {
	for k, want := range map[int]float64{0: 2.9957, 1: 4.7439, 2: 6.2958, 10: 16.9622, 100: 118.079} {
		if got := verdicts.PoissonUpper(k); math.Abs(got-want) > 1e-3 {
			t.Errorf("%d: %.4f, want %.4f", k, got, want)
		}
	}
}
