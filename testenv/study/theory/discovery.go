package theory

import (
	"math"
	"math/big"
)

// RequestsToFindAll is how many requests an insider needs in the mean until it has been
// told all of n endpoints, if each request is answered with k different ones, drawn
// uniformly from a pool that does not change: the coupon collector with batches. N is at
// most 10,000.
//
//	sum over j=1..n of (-1)^(j+1) C(n,j) / (1 - C(n-j,k)/C(n,k))
func RequestsToFindAll(n, k int) float64 {
	if k < 1 || k > n || n > 10_000 {
		return math.NaN()
	}
	// The terms alternate in sign and reach 2^n, while the sum is about n log n / k.
	number := func(x int) *big.Float { return new(big.Float).SetPrec(uint(n) + 128).SetInt64(int64(x)) }
	one, sum := number(1), number(0)
	choose, missed := number(1), number(1)
	for j := 1; j <= n; j++ {
		// C(n,j) = C(n,j-1) (n-j+1)/j, and likewise for the ratio of the others.
		choose.Mul(choose, number(n-j+1)).Quo(choose, number(j))
		missed.Mul(missed, number(max(n-j+1-k, 0))).Quo(missed, number(n-j+1))
		term := new(big.Float).Sub(one, missed)
		term.Quo(choose, term)
		if j%2 == 0 {
			term.Neg(term)
		}
		sum.Add(sum, term)
	}
	f, _ := sum.Float64()
	return f
}

// Discovered is how many of n endpoints an insider has been told in the mean after m
// requests, each answered with k different ones.
//
//	n (1 - (1 - k/n)^m)
func Discovered(n, k, m int) float64 {
	if n < 1 || k < 0 || k > n || m < 0 {
		return math.NaN()
	}
	return float64(n) * (1 - math.Pow(1-float64(k)/float64(n), float64(m)))
}

// Unburnt is the probability that an endpoint which is given to c clients is given to no
// agent, if each client is one with probability f.
//
//	(1-f)^c
func Unburnt(f float64, c int) float64 {
	if !share(f) || c < 0 {
		return math.NaN()
	}
	return math.Pow(1-f, float64(c))
}

// Reached is how many of c clients are given such an endpoint in the mean until the
// first agent has it blocked at once; the agent is counted as well.
//
//	(1 - (1-f)^c) / f
func Reached(f float64, c int) float64 {
	if !share(f) || c < 0 {
		return math.NaN()
	}
	if f == 0 {
		return float64(c)
	}
	return -math.Expm1(float64(c)*math.Log1p(-f)) / f
}

// CutOff is the probability that a client who holds k of n endpoints has lost all of
// them when b of the n are blocked, drawn uniformly.
//
//	C(b,k) / C(n,k)
func CutOff(n, b, k int) float64 {
	if k < 0 || b < 0 || b > n || k > n {
		return math.NaN()
	}
	p := 1.
	for i := range k {
		p *= float64(max(b-i, 0)) / float64(n-i)
	}
	return p
}

// Compromised is the most keys that k adversaries among n users can compromise in all,
// if every compromised group of users is split in two with new keys (Mahdian, Fighting
// censorship with algorithms, 2010): a bound, and not a mean.
//
//	k (1 + ceil(log2(n/k)))
func Compromised(n, k int) int {
	if k <= 0 || n < k {
		return max(0, min(n, k))
	}
	levels := 0
	for k<<levels < n {
		levels++
	}
	return k * (1 + levels)
}

func share(f float64) bool { return f >= 0 && f <= 1 }
