package draw

import "math"

// Exponential is an exponential variate of mean 1, by inversion: one word, and
// monotone in it, so that two rates with the same draw keep their order.
func (s *Stream) Exponential() float64 { return -logarithm(s.Unit()) }

// Normal is a standard normal variate, by inversion: one word, and monotone in it.
func (s *Stream) Normal() float64 { return quantile(s.Unit()) }

// Failures is how many times something of probability p fails before it first
// happens: a geometric variate of mean (1-p)/p, by inversion. For p <= 0 it never
// does, which is math.MaxInt; for p >= 1 it does at once.
func (s *Stream) Failures(p float64) int {
	switch u := s.Unit(); {
	case p <= 0:
		return math.MaxInt
	case p >= 1:
		return 0
	default:
		// log(1-p) loses its digits where p is small, and there it is p's series.
		n := math.Floor(logarithm(u) / log1m(p))
		if n >= math.MaxInt {
			return math.MaxInt
		}
		return int(n)
	}
}

// log1m is log(1-p) for p from 0 to 1.
func log1m(p float64) float64 {
	if p > .01 {
		return logarithm(1 - p)
	}
	// -p - p²/2 - ... - p⁸/8
	sum := 1. / 8
	for i := 7; i > 0; i-- {
		sum = float64(sum*p) + 1/float64(i)
	}
	return -float64(sum * p)
}

// The limits from which counting up is slower than rejection.
const (
	manyEvents = 10
	manyHits   = 10
)

// Poisson is a Poisson variate. It takes a time that does not grow with the mean,
// which must be from 0 to 2^52.
func (s *Stream) Poisson(mean float64) int {
	switch {
	case !(mean > 0):
		return 0
	case mean < manyEvents:
		return s.poissonCounted(mean)
	}
	return s.poissonRejected(mean)
}

// poissonCounted inverts the distribution by a walk from 0: one word.
func (s *Stream) poissonCounted(mean float64) int {
	u := s.Unit()
	p := exponential(-mean)
	n := 0
	for u > p && n < 1000 { // u is above what the sum can reach in one of 2^53
		u -= p
		n++
		p = float64(p*mean) / float64(n)
	}
	return n
}

// poissonRejected is algorithm PTRS (Hörmann: The transformed rejection method for
// generating Poisson random variables, 1993).
func (s *Stream) poissonRejected(mean float64) int {
	root := math.Sqrt(mean)
	b := .931 + float64(2.53*root)
	a := -.059 + float64(.02483*b)
	invAlpha := 1.1239 + 1.1328/(b-3.4)
	vr := .9277 - 3.6224/(b-2)
	logMean := logarithm(mean)
	for {
		u, v := s.Unit()-.5, s.Unit()
		us := .5 - math.Abs(u)
		k := math.Floor(float64((float64(2*a)/us+b)*u) + mean + .43)
		if us >= .07 && v <= vr {
			return int(k)
		}
		if k < 0 || us < .013 && v > us {
			continue
		}
		if logarithm(v*invAlpha/(a/float64(us*us)+b)) <= float64(k*logMean)-mean-logFactorial(k) {
			return int(k)
		}
	}
}

// Binomial is how many of n independent tries succeed, each with probability p. It
// takes a time that does not grow with n, which must be below 2^52.
func (s *Stream) Binomial(n int, p float64) int {
	switch {
	case n <= 0 || !(p > 0):
		return 0
	case p >= 1:
		return n
	case p > .5:
		return n - s.binomial(n, 1-p)
	}
	return s.binomial(n, p)
}

func (s *Stream) binomial(n int, p float64) int {
	if float64(float64(n)*p) < manyHits {
		return s.binomialCounted(n, p)
	}
	return s.binomialRejected(float64(n), p)
}

// binomialCounted inverts the distribution by a walk from 0: one word.
func (s *Stream) binomialCounted(n int, p float64) int {
	u := s.Unit()
	odds := p / (1 - p)
	q := exponential(float64(float64(n) * log1m(p)))
	k := 0
	for u > q && k < n {
		u -= q
		k++
		q = float64(float64(q*odds)*float64(n-k+1)) / float64(k)
	}
	return k
}

// binomialRejected is algorithm BTRS (Hörmann: The generation of binomial random
// variates, 1993), for p of at most one half.
func (s *Stream) binomialRejected(n, p float64) int {
	spread := math.Sqrt(float64(float64(n*p) * (1 - p)))
	b := 1.15 + float64(2.53*spread)
	a := -.0873 + float64(.0248*b) + float64(.01*p)
	c := float64(n*p) + .5
	vr := .92 - 4.2/b
	alpha := float64((2.83 + 5.1/b) * spread)
	logOdds := logarithm(p / (1 - p))
	mode := math.Floor(float64((n + 1) * p))
	h := logFactorial(mode) + logFactorial(n-mode)
	for {
		u, v := s.Unit()-.5, s.Unit()
		us := .5 - math.Abs(u)
		k := math.Floor(float64((float64(2*a)/us+b)*u) + c)
		if k < 0 || k > n {
			continue
		}
		if us >= .07 && v <= vr {
			return int(k)
		}
		v = v * alpha / (a/float64(us*us) + b)
		if logarithm(v) <= h-logFactorial(k)-logFactorial(n-k)+float64((k-mode)*logOdds) {
			return int(k)
		}
	}
}
