package theory

import "math"

// SubnetsHit is how many of a number of equally large subnets are blocked in the mean,
// if n endpoints are spread over them uniformly and each takes its subnet with it. Times
// the size of a subnet it is the addresses that are lost.
//
//	subnets (1 - (1 - 1/subnets)^n)
func SubnetsHit(subnets, n int) float64 {
	if subnets < 1 || n < 0 {
		return math.NaN()
	}
	s := float64(subnets)
	return s * (1 - math.Pow(1-1/s, float64(n)))
}

// EnforcedPolled is the share of ISPs that enforce a rule of an age, if each fetches the
// list once in a period, at a time of its own.
//
//	min(age/period, 1)
func EnforcedPolled(age, period float64) float64 {
	if !(age >= 0) || !(period > 0) {
		return math.NaN()
	}
	return min(age/period, 1)
}

// EnforcedLagging is the same if their lags are exponential.
//
//	1 - e^(-age/mean)
func EnforcedLagging(age, mean float64) float64 {
	if !(age >= 0) || !(mean > 0) {
		return math.NaN()
	}
	return -math.Expm1(-age / mean)
}
