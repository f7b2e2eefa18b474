package draw

import "math/bits"

// Key is a seed and a concern: all that its streams have in common.
type Key uint64

// For makes the key of a concern. It reads the whole name: make keys once, before
// a run. Names that differ have keys that differ, but for chances of one in 2^64.
func For(seed uint64, concern string) Key {
	// FNV-1a, and one block to spread it. The key's key is arbitrary: it keeps
	// keys apart from what is drawn with them.
	h := uint64(14695981039346656037)
	for i := range len(concern) {
		h = (h ^ uint64(concern[i])) * 1099511628211
	}
	k, _ := philox(0x7061706572706c61, seed, h)
	return Key(k)
}

// At is the stream of an entity's draw by its ordinal. It always begins at its
// beginning: to ask twice for one name is to be told the same twice.
func (k Key) At(entity uint64, ordinal uint32) Stream {
	return Stream{key: uint64(k), entity: entity, block: uint64(ordinal) << 32}
}

// Unit is the first [Stream.Unit] of a stream.
func (k Key) Unit(entity uint64, ordinal uint32) float64 {
	x, _ := philox(uint64(k), entity, uint64(ordinal)<<32)
	return unit(x)
}

// Stream is one draw, which takes as many random words as it needs: a uniform number
// one, a shuffle of n things about n. A stream has 2^33 words.
type Stream struct {
	key, entity uint64
	block       uint64 // the ordinal above, the number of the next block below
	spare       uint64
	full        bool // there is a spare word
}

// Uint64 is the next word. With it a stream is a source for math/rand/v2: what wants
// a *rand.Rand is given rand.New(&stream).
func (s *Stream) Uint64() uint64 {
	if s.full {
		s.full = false
		return s.spare
	}
	x, y := philox(s.key, s.entity, s.block)
	s.block++
	s.spare, s.full = y, true
	return x
}

// Unit is uniform above 0 and below 1: an odd multiple of 2^-53.
func (s *Stream) Unit() float64 { return unit(s.Uint64()) }

// unit is 0 for no word and 1 for none, so that logarithms and quantiles of it are
// finite, and its mean is one half. 52 bits and the one that makes it odd are as many
// as a float64 holds: nothing is rounded.
func unit(x uint64) float64 { return float64(float64(x>>12<<1|1) * 0x1p-53) }

// Happens is true with probability p.
func (s *Stream) Happens(p float64) bool { return s.Unit() < p }

// Below is uniform among the whole numbers from 0 to n-1 (Lemire: Fast random
// integer generation in an interval, 2019). It panics unless n is positive.
func (s *Stream) Below(n int) int {
	if n <= 0 {
		panic("draw: Below needs a positive number")
	}
	hi, lo := bits.Mul64(s.Uint64(), uint64(n))
	if lo < uint64(n) {
		for least := -uint64(n) % uint64(n); lo < least; {
			hi, lo = bits.Mul64(s.Uint64(), uint64(n))
		}
	}
	return int(hi)
}
