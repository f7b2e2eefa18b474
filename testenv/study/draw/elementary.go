package draw

import "math"

// The functions of this file give the same bits on every machine: they use sums,
// products, quotients and square roots, which IEEE 754 rounds alike everywhere, and
// round each product before it is added (see the Go specification, "Floating-point
// operators"). They are good to about an ulp, which is more than a variate needs.

// logSeries are the coefficients 1/(2i+1) of atanh.
var logSeries = [...]float64{1, 1. / 3, 1. / 5, 1. / 7, 1. / 9, 1. / 11, 1. / 13, 1. / 15, 1. / 17, 1. / 19, 1. / 21}

// ln 2 in two parts, the first with zeros at its end, so that its multiples by an
// exponent are exact.
const (
	ln2High = 0x1.62e42fee00000p-1
	ln2Low  = 0x1.a39ef35793c76p-33
)

// logarithm is the natural one of a positive, normal number.
func logarithm(x float64) float64 {
	// x = m 2^e with m within a factor of sqrt(2) of 1, and log m = 2 atanh(s)
	// with s = (m-1)/(m+1), at most .172: eleven terms are enough.
	b := math.Float64bits(x)
	e := int(b>>52) - 1023
	m := math.Float64frombits(b&(1<<52-1) | 1023<<52)
	if m > math.Sqrt2 {
		m *= .5
		e++
	}
	s := (m - 1) / (m + 1)
	z := float64(s * s)
	sum := logSeries[len(logSeries)-1]
	for i := len(logSeries) - 2; i > 0; i-- {
		sum = float64(sum*z) + logSeries[i]
	}
	rest := float64(float64(2*s) * float64(z*sum)) // all but the first term
	k := float64(e)
	return float64(k*ln2High) + (float64(2*s) + (rest + float64(k*ln2Low)))
}

// exponential is e^x for x from -700 to 700.
func exponential(x float64) float64 {
	// x = k ln 2 + r with r at most .35: thirteen terms are enough.
	k := math.Floor(float64(x*(1/math.Ln2)) + .5)
	r := (x - float64(k*ln2High)) - float64(k*ln2Low)
	sum := 1.
	for i := 14; i > 0; i-- {
		sum = 1 + float64(sum*r)/float64(i)
	}
	return sum * math.Float64frombits(uint64(int64(k)+1023)<<52)
}

// smallLogFactorials are log n! for n below its length.
var smallLogFactorials = func() (f [16]float64) {
	product := 1.
	for n := 2; n < len(f); n++ {
		product *= float64(n)
		f[n] = logarithm(product)
	}
	return f
}()

// logFactorial is log n! for n >= 0.
func logFactorial(n float64) float64 {
	if n < float64(len(smallLogFactorials)) {
		return smallLogFactorials[int(n)]
	}
	// Stirling's series: its next term is below 2e-13 from n = 16 on.
	const halfLogTau = .91893853320467274178
	x := n + 1
	i := 1 / x
	z := float64(i * i)
	series := float64(i * (1./12 - float64(z*(1./360-float64(z*(1./1260-float64(z*(1./1680))))))))
	return float64((x-.5)*logarithm(x)) - x + halfLogTau + series
}
