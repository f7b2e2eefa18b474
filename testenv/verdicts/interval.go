package verdicts

import "math"

// z is the standard normal quantile of .975: all intervals hold 95 %.
const z = 1.959963984540054

// Wilson is the 95 % interval of a share of which hits of n were seen (Wilson
// 1927): unlike the textbook one it is right near 0 and 1, and for small n. For
// n = 0 it is everything.
func Wilson(hits, n int) (low, high float64) {
	if n <= 0 {
		return 0, 1
	}
	m := float64(n)
	p := float64(hits) / m
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return max(mid-half, 0), min(mid+half, 1)
}

// PoissonUpper is the 95 % upper bound of a mean of which k events were seen: of
// all means under which no more than k would have been seen with a probability
// of 5 %, the least. For k = 0 it is 3.0, the rule of three.
func PoissonUpper(k int) float64 {
	low, high := float64(k), float64(k)+5*math.Sqrt(float64(k)+1)+5
	for range 60 {
		mid := (low + high) / 2
		if atMost(k, mid) > .05 {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// atMost is the probability of k events or fewer under a mean.
func atMost(k int, mean float64) float64 {
	term := math.Exp(-mean)
	sum := term
	for i := 1; i <= k; i++ {
		term *= mean / float64(i)
		sum += term
	}
	return sum
}
