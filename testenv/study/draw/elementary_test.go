package draw

import (
	"math"
	"testing"
)

// near reports whether two numbers differ by a share of them at most.
func near(got, want, share float64) bool {
	return got == want || math.Abs(got-want) <= share*math.Abs(want)
}

func TestLogarithm(t *testing.T) {
	d := For(1, "test").At(0, 0)
	for range 100_000 {
		x := math.Ldexp(.5+d.Unit(), d.Below(600)-300)
		if got, want := logarithm(x), math.Log(x); !near(got, want, 1e-15) {
			t.Fatalf("log %g = %.17g, want %.17g", x, got, want)
		}
	}
	for _, x := range []float64{1, math.Sqrt2, math.Sqrt2 / 2, 0x1p-53, 1 - 0x1p-53, 1 + 0x1p-52} {
		if got, want := logarithm(x), math.Log(x); !near(got, want, 1e-15) {
			t.Errorf("log %g = %.17g, want %.17g", x, got, want)
		}
	}
}

func TestLogarithmOfWhatIsLeft(t *testing.T) {
	d := For(1, "test").At(1, 0)
	for range 100_000 {
		p := math.Ldexp(d.Unit(), -d.Below(60))
		if got, want := log1m(p), math.Log1p(-p); !near(got, want, 1e-13) {
			t.Fatalf("log(1-%g) = %.17g, want %.17g", p, got, want)
		}
	}
}

func TestExponential(t *testing.T) {
	d := For(1, "test").At(2, 0)
	for range 100_000 {
		x := (d.Unit() - .5) * 1400
		if got, want := exponential(x), math.Exp(x); !near(got, want, 5e-16*(2+math.Abs(x)/4)) {
			t.Fatalf("exp %g = %.17g, want %.17g", x, got, want)
		}
	}
}

func TestLogFactorial(t *testing.T) {
	for _, n := range []float64{0, 1, 2, 3, 10, 15, 16, 17, 50, 1000, 1e6, 1e12} {
		want, _ := math.Lgamma(n + 1)
		if got := logFactorial(n); math.Abs(got-want) > 1e-12+2e-15*math.Abs(want) {
			t.Errorf("log %g! = %.17g, want %.17g", n, got, want)
		}
	}
}

func TestQuantile(t *testing.T) {
	for _, p := range []float64{0x1p-53, 1e-12, 1e-6, .01, .07, .075, .0751, .2, .4, .5, .51, .8, .925, .93, .99, 1 - 1e-9, 1 - 0x1p-53} {
		v := quantile(p)
		below := .5 * math.Erfc(-v/math.Sqrt2)
		if p > .5 {
			// The upper tail by itself, since 1 - p has no digits left in below.
			p, below = 1-p, .5*math.Erfc(v/math.Sqrt2)
		}
		if !near(below, p, 1e-13) {
			t.Errorf("a share of %.17g lies beyond %.17g, want %.17g", below, v, p)
		}
	}
}
