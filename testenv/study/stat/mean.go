package stat

import "math"

// Sample is numbers added up one by one (Welford 1962): their order does not lose
// digits. The zero value is empty.
type Sample struct {
	n          int
	mean, rest float64
}

// Add takes a number in. NaN is left out: it stands for nothing.
func (s *Sample) Add(x float64) {
	if math.IsNaN(x) {
		return
	}
	s.n++
	d := x - s.mean
	s.mean += d / float64(s.n)
	s.rest += d * (x - s.mean)
}

// N is how many there are.
func (s *Sample) N() int { return s.n }

// Mean is NaN if there are none.
func (s *Sample) Mean() float64 {
	if s.n == 0 {
		return math.NaN()
	}
	return s.mean
}

// SD is the standard deviation that the sample lets expect, with n-1; NaN for fewer
// than two.
func (s *Sample) SD() float64 {
	if s.n < 2 {
		return math.NaN()
	}
	return math.Sqrt(s.rest / float64(s.n-1))
}

// Error is the standard error of the mean: SD / sqrt(n).
func (s *Sample) Error() float64 { return s.SD() / math.Sqrt(float64(s.n)) }

// Interval is the 95 % interval of the mean, by Student's t; NaN for fewer than two.
func (s *Sample) Interval() (low, high float64) {
	if s.n < 2 {
		return math.NaN(), math.NaN()
	}
	half := T(s.n-1) * s.Error()
	return s.mean - half, s.mean + half
}

// T is the .975 quantile of Student's t with whole degrees of freedom, at least 1:
// 12.71 for 1, and 1.96 for many.
func T(freedom int) float64 {
	// Its distribution is a finite sum, and grows: halve.
	low, high := 1., 13.
	for range 60 {
		mid := (low + high) / 2
		if within(mid, freedom) < .95 {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// within is the probability of |t| <= x (Abramowitz and Stegun, 26.7.3 and 26.7.4).
func within(x float64, freedom int) float64 {
	if freedom > 10_000 {
		return math.Erf(x / math.Sqrt2)
	}
	angle := math.Atan(x / math.Sqrt(float64(freedom)))
	sin, cos := math.Sincos(angle)
	sum := 0.
	if freedom%2 == 0 {
		for k, term := 1, 1.; k < freedom; k += 2 {
			sum += term
			term *= cos * cos * float64(k) / float64(k+1)
		}
		return sin * sum
	}
	for k, term := 2, cos; k < freedom; k += 2 {
		sum += term
		term *= cos * cos * float64(k) / float64(k+1)
	}
	return 2 / math.Pi * (angle + sin*sum)
}
