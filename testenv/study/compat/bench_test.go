package compat_test

import (
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/study/compat"
)

// BenchmarkRun is a whole run of 550 steps on one core.
func BenchmarkRun(b *testing.B) {
	crowded := compat.Dynamic(compat.Strict)
	crowded.Early.Users, crowded.Late.Users = 200, 200
	greedy := compat.Dynamic(compat.Kind)
	greedy.Censor = compat.Greedy
	repaired := compat.Ephemeral()
	repaired.Faults = compat.Repaired
	for _, c := range []struct {
		name  string
		world *compat.World
	}{
		{"strict", compat.Dynamic(compat.Strict)},
		{"strict 200 users a step", crowded},
		{"kind", compat.Dynamic(compat.Kind)},
		{"kind greedy", greedy},
		{"ephemeral", compat.Ephemeral()},
		{"ephemeral repaired", repaired},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for seed := uint64(0); b.Loop(); seed++ {
				if _, err := c.world.Run(b.Context(), seed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
