package policy_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

func at4(provider string, a, b, c, d byte) policy.Place {
	return policy.Place{Addr: netip.AddrFrom4([4]byte{a, b, c, d}), Provider: provider}
}

// The figures in the model's comment.
func TestBeliefByNumber(t *testing.T) {
	here := at4("aws", 52, 58, 4, 1)
	same24, same20 := at4("aws", 52, 58, 4, 9), at4("aws", 52, 58, 5, 1)
	same16, same12 := at4("aws", 52, 58, 99, 1), at4("aws", 52, 50, 0, 1)
	elsewhere, stranger := at4("aws", 3, 1, 0, 1), at4("gcp", 34, 90, 0, 1)
	many := func(p policy.Place, n int) (ps []policy.Place) {
		for range n {
			ps = append(ps, p)
		}
		return ps
	}
	for _, tt := range []struct {
		name           string
		blocked, alive []policy.Place
		least, most    float64
	}{
		{"nothing", nil, nil, .02, .02},
		{"one in the same /24", many(same24, 1), nil, .43, .45},
		{"one in the same /20", many(same20, 1), nil, .43, .45},
		{"one in the same /16", many(same16, 1), nil, .43, .45},
		{"two in the same /16", many(same16, 2), nil, .61, .63},
		{"two, and one alive", many(same16, 2), many(same16, 1), .46, .49},
		{"two, in two places", []policy.Place{same24, same16}, nil, .67, .72},
		{"two in the same /12", many(same12, 2), nil, .28, .3},
		{"five in the same /12", many(same12, 5), nil, .51, .53},
		{"19 of the provider", many(elsewhere, 19), nil, .49, .499},
		{"20 of the provider", many(elsewhere, 20), nil, .5, .52},
		{"of another provider", many(stranger, 1000), nil, .02, .02},
		{"a /24 among well ones", many(same24, 8), many(same16, 10), .8, .95},
		{"well among a blocked /24", many(same16, 8), many(same24, 4), 0, .25},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b policy.Belief
			for _, p := range tt.blocked {
				b.Blocked(p, start)
			}
			for _, p := range tt.alive {
				b.Alive(p, start)
			}
			if got := b.At(here, start); got < tt.least-1e-9 || got > tt.most+1e-9 {
				t.Errorf("want %g to %g, got %g", tt.least, tt.most, got)
			}
		})
	}
}

// What a prefix has earned in quiet times does not hide a block.
func TestBeliefChanges(t *testing.T) {
	var b policy.Belief
	here := at4("aws", 52, 58, 4, 1)
	now := start
	for n := range 1000 {
		now = start.Add(time.Duration(n) * time.Minute)
		b.Alive(at4("aws", 52, 58, byte(n), 1), now)
	}
	for n := range byte(2) {
		now = now.Add(time.Second)
		b.Blocked(at4("aws", 52, 58, 200+n, 1), now)
	}
	if got := b.At(here, now); got < policy.Suspicion {
		t.Errorf("after two verdicts: %g", got)
	}
}

// An unknown provider is shared with nobody, and an unknown address neither.
func TestBeliefOfUnknown(t *testing.T) {
	var b policy.Belief
	for range 100 {
		b.Blocked(at4("", 3, 1, 0, 1), start)
		b.Blocked(policy.Place{}, start)
	}
	for _, p := range []policy.Place{at4("", 52, 58, 4, 1), {}, {Provider: "aws"}} {
		if got := b.At(p, start); got > .02+1e-9 {
			t.Errorf("%v: %g", p, got)
		}
	}
	v6 := func(s string) policy.Place { return policy.Place{Addr: netip.MustParseAddr(s)} }
	b.Blocked(v6("2a05:d014:1:1::1"), start)
	b.Blocked(v6("2a05:d014:2:1::1"), start)
	if near, far := b.At(v6("2a05:d014:9:9::9"), start), b.At(v6("2a05:d015::1"), start); near < policy.Suspicion || far > .03 {
		t.Errorf("two in the same /32: %g; in another: %g", near, far)
	}
	mapped := policy.Place{Addr: netip.MustParseAddr("::ffff:3.1.0.9")}
	if got, want := b.At(mapped, start), b.At(at4("", 3, 1, 0, 9), start); got != want {
		t.Errorf("a mapped address: %g, want %g", got, want)
	}
}

// What is withdrawn leaves nothing behind, whatever was counted in between.
func TestBeliefWithdrawn(t *testing.T) {
	var b, without policy.Belief
	p, q := at4("aws", 52, 58, 4, 1), at4("aws", 52, 58, 9, 1)
	b.Blocked(p, start)
	for n := range 20 {
		at := start.Add(time.Duration(n) * 7 * time.Minute)
		b.Blocked(q, at)
		without.Blocked(q, at)
	}
	now := start.Add(3 * time.Hour)
	b.Withdraw(p, start, now)
	for _, at := range []policy.Place{p, q} {
		if got, want := b.At(at, now), without.At(at, now); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%v: want %g, got %g", at, want, got)
		}
	}
}

// Idle prefixes are forgotten: what is kept does not grow with what ever was.
func TestBeliefForgets(t *testing.T) {
	var b policy.Belief
	most := 0
	for n := range 200_000 {
		now := start.Add(time.Duration(n) * time.Minute)
		p := policy.Place{Addr: netip.AddrFrom4([4]byte{byte(n >> 16), byte(n >> 8), byte(n), 1}), Provider: fmt.Sprint(n % 100_000)}
		b.Blocked(p, now)
		most = max(most, b.Len())
	}
	if most > 20_000 { // 600 in the time that it takes to fade, of 5 levels each, and as many again
		t.Errorf("%d are kept", most)
	}
}

// FuzzBelief holds belief against what must be true of it, whatever was counted.
func FuzzBelief(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		script := make([]byte, 6*(1+r.IntN(40)))
		for n := range script {
			script[n] = byte(r.Uint32())
		}
		f.Add(r.Uint64(), script)
	}
	f.Fuzz(func(t *testing.T, seed uint64, script []byte) {
		r := rand.New(rand.NewPCG(seed, 1))
		// Places are few, so that many are neighbours at some level.
		place := func(n uint32) policy.Place {
			p := policy.Place{Provider: []string{"", "aws", "gcp"}[n%3]}
			n /= 3
			if n%5 == 0 {
				var a [16]byte
				binary.BigEndian.PutUint32(a[:], 0x2a050000|n>>3&1)
				a[4], a[5] = byte(n>>4&1), byte(n>>5&1)
				p.Addr = netip.AddrFrom16(a)
				return p
			}
			p.Addr = netip.AddrFrom4([4]byte{52, byte(n >> 3 & 17), byte(n >> 8 & 33), byte(n >> 14)})
			return p
		}
		type count struct {
			blocked bool
			place   policy.Place
		}
		apply := func(b *policy.Belief, c count, now time.Time) {
			if c.blocked {
				b.Blocked(c.place, now)
			} else {
				b.Alive(c.place, now)
			}
		}
		var b, shuffled, more policy.Belief
		now := start
		extra := place(r.Uint32())
		var moment []count
		flush := func() {
			r.Shuffle(len(moment), func(i, j int) { moment[i], moment[j] = moment[j], moment[i] })
			for _, c := range moment {
				apply(&shuffled, c, now)
			}
			moment = moment[:0]
		}
		for ; len(script) >= 6; script = script[6:] {
			if script[0] < 128 {
				flush()
				now = now.Add(time.Duration(script[0]) * time.Minute)
			}
			c := count{script[1] < 170, place(binary.BigEndian.Uint32(script[2:]))}
			apply(&b, c, now)
			apply(&more, c, now)
			moment = append(moment, c)
			if r.IntN(4) == 0 {
				more.Blocked(extra, now)
			}
		}
		flush()
		later := now.Add(time.Duration(r.IntN(1000)) * time.Minute)
		for range 20 {
			p := place(r.Uint32())
			for _, at := range []time.Time{now, later, now.Add(1000 * time.Hour)} {
				got := b.At(p, at)
				if got <= 0 || got >= 1 {
					t.Errorf("%v: %g is no probability", p, got)
				}
				if same := shuffled.At(p, at); same < got-1e-9 || same > got+1e-9 {
					t.Errorf("%v: %g, and %g in another order at the same times", p, got, same)
				}
				if worse := more.At(p, at); worse < got-1e-9 {
					t.Errorf("%v: %g, and with more that are blocked %g", p, got, worse)
				}
			}
			if got := b.At(p, now.Add(1000*time.Hour)); got < .02-1e-3 || got > .02+1e-3 {
				t.Errorf("%v: still %g after 1,000 h", p, got)
			}
		}
	})
}

// Belief only ever comes closer to what it was before, from either side.
func TestBeliefDecays(t *testing.T) {
	for _, blocked := range []bool{true, false} {
		r := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			var b policy.Belief
			now := start
			for range 1 + r.IntN(20) {
				p := at4("aws", 52, byte(r.IntN(30)), byte(r.IntN(3)), 1)
				if now = now.Add(time.Duration(r.IntN(30)) * time.Minute); blocked {
					b.Blocked(p, now)
				} else {
					b.Alive(p, now)
				}
			}
			p := at4("aws", 52, byte(r.IntN(30)), byte(r.IntN(3)), 1)
			last := b.At(p, now)
			for range 100 {
				now = now.Add(7 * time.Minute)
				next := b.At(p, now)
				if blocked && next > last || !blocked && next < last {
					t.Fatalf("blocked %t: from %g to %g", blocked, last, next)
				}
				last = next
			}
		}
	}
}

// BenchmarkBelief asks of, and changes, what is known of so many places.
func BenchmarkBelief(b *testing.B) {
	for _, size := range []int{100, 10_000} {
		places := make([]policy.Place, size)
		fill := func() *policy.Belief {
			var belief policy.Belief
			r := rand.New(rand.NewPCG(1, 2))
			for n := range places {
				places[n] = at4(fmt.Sprint("provider ", n%5), byte(r.IntN(4)), byte(r.Uint32()), byte(r.Uint32()), 1)
				belief.Blocked(places[n], start)
			}
			return &belief
		}
		b.Run(fmt.Sprintf("query/places=%d", size), func(b *testing.B) {
			belief := fill()
			now := start.Add(time.Minute)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				belief.At(places[n%size], now)
			}
		})
		b.Run(fmt.Sprintf("update/places=%d", size), func(b *testing.B) {
			belief := fill()
			now := start
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				now = now.Add(time.Second)
				belief.Blocked(places[n%size], now)
			}
		})
	}
}
