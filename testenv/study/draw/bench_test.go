package draw_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/study/draw"
)

func BenchmarkFor(b *testing.B) {
	b.ReportAllocs()
	var sum draw.Key
	for n := uint64(0); b.Loop(); n++ {
		sum += draw.For(n, "arrivals")
	}
}

func BenchmarkUnit(b *testing.B) {
	key := draw.For(1, "bench")
	b.ReportAllocs()
	var sum float64
	for n := uint64(0); b.Loop(); n++ {
		sum += key.Unit(n, 0)
	}
}

// BenchmarkNamed is what other generators take to be seeded with a name and asked
// once.
func BenchmarkNamed(b *testing.B) {
	b.Run("philox", func(b *testing.B) {
		key := draw.For(1, "bench")
		b.ReportAllocs()
		for n := uint64(0); b.Loop(); n++ {
			s := key.At(n, 0)
			_ = s.Uint64()
		}
	})
	b.Run("pcg", func(b *testing.B) {
		var g rand.PCG
		b.ReportAllocs()
		for n := uint64(0); b.Loop(); n++ {
			g.Seed(1, n)
			_ = g.Uint64()
		}
	})
	b.Run("chacha8", func(b *testing.B) {
		var g rand.ChaCha8
		var seed [32]byte
		b.ReportAllocs()
		for n := uint64(0); b.Loop(); n++ {
			for i := range 8 {
				seed[i] = byte(n >> (8 * i))
			}
			g.Seed(seed)
			_ = g.Uint64()
		}
	})
}

func BenchmarkVariate(b *testing.B) {
	key := draw.For(1, "bench")
	for _, v := range []struct {
		name string
		next func(s *draw.Stream)
	}{
		{"exponential", func(s *draw.Stream) { s.Exponential() }},
		{"normal", func(s *draw.Stream) { s.Normal() }},
		{"failures", func(s *draw.Stream) { s.Failures(.25) }},
		{"poisson .75", func(s *draw.Stream) { s.Poisson(.75) }},
		{"poisson 10", func(s *draw.Stream) { s.Poisson(10) }},
		{"poisson 200", func(s *draw.Stream) { s.Poisson(200) }},
		{"binomial 100 .05", func(s *draw.Stream) { s.Binomial(100, .05) }},
		{"binomial 1000000 .3", func(s *draw.Stream) { s.Binomial(1_000_000, .3) }},
	} {
		b.Run(v.name, func(b *testing.B) {
			b.ReportAllocs()
			var s draw.Stream
			for n := uint64(0); b.Loop(); n++ {
				s = key.At(n, 0)
				v.next(&s)
			}
		})
	}
}

func BenchmarkChoose(b *testing.B) {
	key := draw.For(1, "bench")
	for _, c := range []struct{ k, n int }{{3, 100}, {3, 1_000_000}, {100, 1000}} {
		into := make([]int, c.k)
		b.Run(fmt.Sprintf("%d of %d", c.k, c.n), func(b *testing.B) {
			b.ReportAllocs()
			for n := uint64(0); b.Loop(); n++ {
				s := key.At(n, 0)
				s.Choose(into, c.n)
			}
		})
	}
}
