package probe_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// doubtful is what a pool asks of a suspect.
var doubtful = policy.Look{Depth: policy.Carry, Doubtful: true}

// spent is how many bytes have crossed the border to and from the endpoint.
func (l *lab) spent(h *testenv.Host) int64 {
	p := l.Ledger().Path("north", netip.AddrPortFrom(h.Addr(), h.Spec().Port))
	return p.Up + p.Down
}

// What stops and what is slow are told apart, each way, in time, and at a price
// that is known.
func TestStalledAndSlowed(t *testing.T) {
	type want struct {
		down, up []policy.Outcome
		// at is where the flow stops.
		at int64
	}
	answered, stalled, slowed := []policy.Outcome{policy.Answered}, []policy.Outcome{policy.Stalled}, []policy.Outcome{policy.Slowed}
	either := []policy.Outcome{policy.Slowed, policy.Answered}
	cases := map[string]struct {
		do   blocker.Action
		dir  blocker.Direction
		want want
	}{
		"police 16 kbit/s":       {blocker.Police(2000), blocker.Both, want{slowed, slowed, 0}},
		"police 64 kbit/s":       {blocker.Police(8000), blocker.Both, want{slowed, slowed, 0}},
		"police 256 kbit/s":      {blocker.Police(32000), blocker.Both, want{either, either, 0}},
		"police 16 kbit/s down":  {blocker.Police(2000), blocker.Down, want{slowed, answered, 0}},
		"police 16 kbit/s up":    {blocker.Police(2000), blocker.Up, want{answered, slowed, 0}},
		"police 64 kbit/s up":    {blocker.Police(8000), blocker.Up, want{answered, slowed, 0}},
		"police 1 Mbit/s, twice": {blocker.Police(125000), blocker.Both, want{answered, answered, 0}},
	}
	for _, kib := range []int64{8, 16, 24, 48} {
		freeze := blocker.Freeze(kib << 10)
		cases[fmt.Sprintf("freeze %d KiB", kib)] = struct {
			do   blocker.Action
			dir  blocker.Direction
			want want
		}{freeze, blocker.Both, want{stalled, stalled, kib << 10}}
		cases[fmt.Sprintf("freeze %d KiB down", kib)] = struct {
			do   blocker.Action
			dir  blocker.Direction
			want want
		}{freeze.Counting(blocker.Down), blocker.Both, want{stalled, answered, kib << 10}}
		cases[fmt.Sprintf("freeze %d KiB up", kib)] = struct {
			do   blocker.Action
			dir  blocker.Direction
			want want
		}{freeze.Counting(blocker.Up), blocker.Both, want{answered, stalled, kib << 10}}
	}
	for name, tc := range cases {
		for _, rtt := range []time.Duration{20, 80, 150, 300} {
			t.Run(fmt.Sprintf("%s at %d ms", name, rtt), func(t *testing.T) {
				inLabAt(t, rtt*time.Millisecond, testenv.Config{Seed: 1}, 0, func(t *testing.T, l *lab) {
					l.rule(blocker.Rule{When: blocker.When{Dir: tc.dir}, Do: tc.do})
					look := doubtful
					look.Loss = 0.03 // what is assumed where nothing is known
					x := l.prober.Probe(t.Context(), l.endpoint.Spec(), look)
					took := x.At.Sub(x.Asked)
					for _, way := range []struct {
						name string
						got  policy.Passage
						want []policy.Outcome
					}{{"down", x.Down, tc.want.down}, {"up", x.Up, tc.want.up}} {
						found := false
						for _, w := range way.want {
							found = found || way.got.Outcome == w
						}
						if !found {
							t.Errorf("%s: %v after %d bytes in %v, want %v (%v)", way.name, way.got.Outcome, way.got.Bytes, took, way.want, x.Err)
						}
						if way.got.Outcome == policy.Slowed && way.got.Rate > policy.Allowed(64<<10, x.RTT, look.Loss/2)/4 {
							t.Errorf("%s: %.0f B/s is not slow", way.name, way.got.Rate)
						}
						if way.got.Outcome == policy.Stalled && (way.got.Bytes > tc.want.at || way.got.Bytes < tc.want.at*2/5) {
							t.Errorf("%s: stalled after %d bytes, want about %d", way.name, way.got.Bytes, tc.want.at)
						}
					}
					if took > 5*time.Second {
						t.Errorf("took %v", took)
					}
					if n := l.spent(l.endpoint); n > 256<<10 {
						t.Errorf("%d bytes spent", n)
					}
				})
			})
		}
	}
}

// Loss is neither a freeze nor slowness, and hides neither. In the world a lost
// train of segments waits for the sender's timer, so that there are gaps of seconds.
func TestLossIsNoVerdict(t *testing.T) {
	const seeds, most = 30, 1
	for _, tc := range []struct {
		name string
		do   *blocker.Action
		want policy.Outcome
	}{
		{"alive", nil, policy.Answered},
		{"freeze", new(blocker.Freeze(16 << 10)), policy.Stalled},
		{"police 16 kbit/s", new(blocker.Police(2000)), policy.Slowed},
	} {
		for _, loss := range []float64{0.01, 0.05} {
			for _, rtt := range []time.Duration{20, 80, 300} {
				t.Run(fmt.Sprintf("%s, %v of packets lost, %d ms", tc.name, loss, rtt), func(t *testing.T) {
					down, up := 0, 0
					for seed := range uint64(seeds) {
						inLabAt(t, rtt*time.Millisecond, testenv.Config{Seed: seed}, loss, func(t *testing.T, l *lab) {
							if tc.do != nil {
								l.block(*tc.do)
							}
							look := doubtful
							look.Loss = 2 * loss
							x := l.prober.Probe(t.Context(), l.endpoint.Spec(), look)
							if x.Greeting != policy.Answered {
								t.Errorf("seed %d: %v", seed, x.Err)
							}
							if x.Down.Outcome != tc.want {
								down++
								t.Logf("seed %d: down %v: %v", seed, x.Down.Outcome, x.Err)
							}
							if x.Up.Outcome != tc.want {
								up++
								t.Logf("seed %d: up %v: %v", seed, x.Up.Outcome, x.Err)
							}
						})
					}
					if down > most || up > most {
						t.Errorf("not %v: %d down, %d up of %d", tc.want, down, up, seeds)
					}
				})
			}
		}
	}
}
