// Package draw makes random numbers that are named instead of queued: each is a
// pure function of a seed, a concern ("arrivals", "locations"), an entity (client
// 17) and an ordinal (its third time). Nothing is consumed, so nothing can be
// reshuffled: when a policy changes, or one client asks once more, all draws with
// other names stay as they were. Two runs can then be compared seed by seed, and
// their difference is that of the policies and not of the luck.
//
//	leaves := draw.For(seed, "leaves")
//	d := leaves.At(uint64(client), visit)
//	stays := d.Exponential() * mean
//
// A [Stream] is a value of 40 bytes on the stack; nothing here allocates. Streams
// are not safe for concurrent use, but [Key]s are, and any number of streams can be
// made of one.
//
// # How it is made
//
// The numbers are those of Philox2x64-10 (Salmon, Moraes, Dror and Shaw: Parallel
// random numbers: as easy as 1, 2, 3; SC 2011), which passes BigCrush and for which
// the authors have published test vectors. Its 64-bit key is made of seed and
// concern; its 128-bit counter is the entity, the ordinal and the number of the
// block within the stream. For one key it is a bijection of the counter, so that no
// two names share a block.
//
// The generators of math/rand/v2 would have to be seeded anew for each name. PCG does
// that in a sixth of the time, but its first word shows bits of the seed: of 8,192
// pairs of a seed's bit and a word's bit, twelve do not change together half the
// time, the worst by 22 standard deviations. ChaCha8 takes seven times as long.
//
// # The same everywhere
//
// The same names give the same bits on every GOARCH, of floating-point variates
// too. The compiler may fuse x*y + z into one rounding where the machine can, and
// math.Log and math.Exp are written in assembly for some machines and not for
// others. So products are rounded explicitly here, and logarithm and exponential are
// the package's own.
package draw
