package theory

import "math"

// PlannedConstant is the share of the time in which an endpoint is usable that is
// replaced every period, if the blocker takes a constant delay to find it: the new
// address is known to the clients at once, and the old one is dead a delay after its
// first use.
//
//	min(delay, period) / period
func PlannedConstant(delay, period float64) float64 {
	if !(delay >= 0) || !(period > 0) {
		return math.NaN()
	}
	return min(delay, period) / period
}

// PlannedExponential is the same if the blocker finds it at a rate.
//
//	(1 - e^(-rate period)) / (rate period)
func PlannedExponential(rate, period float64) float64 {
	x := rate * period
	switch {
	case !(rate >= 0) || !(period > 0):
		return math.NaN()
	case x == 0:
		return 1
	}
	return -math.Expm1(-x) / x
}

// Reactive is the share of the time in which an endpoint is usable that is replaced a
// delay after it was blocked, if the blocker finds it at a rate.
//
//	1 / (1 + rate delay)
func Reactive(rate, delay float64) float64 {
	if !(rate >= 0) || !(delay >= 0) {
		return math.NaN()
	}
	return 1 / (1 + rate*delay)
}

// Lifetime is how long an endpoint lives in the mean that is given out by channels, each
// of which leads to its discovery at a rate of its own, beside a rate at which it is
// found by itself (Proximax; McCoy, Morales and Levchenko 2011).
//
//	1 / (own + sum of the channels' rates)
func Lifetime(own float64, channels ...float64) float64 {
	for _, c := range channels {
		own += c
	}
	if !(own >= 0) {
		return math.NaN()
	}
	return 1 / own
}

// Population is how many are present in the mean if so many arrive in a step, and each
// leaves with a probability at its end: counted just before they leave.
//
//	arrivals / leave
func Population(arrivals, leave float64) float64 {
	if !(arrivals >= 0) || !(leave > 0 && leave <= 1) {
		return math.NaN()
	}
	return arrivals / leave
}
