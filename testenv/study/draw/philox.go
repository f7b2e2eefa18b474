package draw

import "math/bits"

// The constants of Philox2x64: the multiplier, and the step of the key (the golden
// ratio).
const (
	multiplier = 0xD2B74407B1CE6E93
	weyl       = 0x9E3779B97F4A7C15
)

// philox mixes a counter of two words under a key, in ten rounds; six are known to
// be enough for BigCrush. Written out they take half the time of a loop.
func philox(key, c0, c1 uint64) (uint64, uint64) {
	c0, c1 = round(key, c0, c1)
	c0, c1 = round(key+weyl, c0, c1)
	c0, c1 = round(key+2*weyl&mask, c0, c1)
	c0, c1 = round(key+3*weyl&mask, c0, c1)
	c0, c1 = round(key+4*weyl&mask, c0, c1)
	c0, c1 = round(key+5*weyl&mask, c0, c1)
	c0, c1 = round(key+6*weyl&mask, c0, c1)
	c0, c1 = round(key+7*weyl&mask, c0, c1)
	c0, c1 = round(key+8*weyl&mask, c0, c1)
	return round(key+9*weyl&mask, c0, c1)
}

// mask is arithmetic modulo 2^64 for constants, which have no size of their own.
const mask = 1<<64 - 1

func round(key, c0, c1 uint64) (uint64, uint64) {
	hi, lo := bits.Mul64(multiplier, c0)
	return hi ^ key ^ c1, lo
}
