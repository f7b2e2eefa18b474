package policy_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// FuzzGroup lets anything happen to a group in any order. The driver holds it
// against its invariants after each step. In the end all endpoints work, and
// then nobody may be left behind: every slot is filled as far as there are
// endpoints, and nobody is suspect or dead.
func FuzzGroup(f *testing.F) {
	f.Add(uint64(1), []byte{})
	f.Add(uint64(2), []byte{8, 6, 0, 3, 1, 255, 0, 2, 1, 7, 200})
	f.Add(uint64(3), []byte{2, 16, 6, 0, 3, 6, 1, 3, 6, 2, 3, 7, 250, 6, 0, 0, 7, 250, 4, 1, 5, 9})
	f.Add(uint64(4), []byte{3, 8, 2, 0, 11, 7, 90, 2, 0, 11, 7, 90, 3, 0, 8, 0, 3, 0, 7, 100, 1, 0})
	r := rand.New(rand.NewPCG(1, 2))
	for seed := range uint64(30) {
		script := make([]byte, 1+r.IntN(300))
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		f.Add(seed, script)
	}
	f.Fuzz(func(t *testing.T, seed uint64, script []byte) {
		script = script[:min(len(script), 300)]
		next := func() int {
			if len(script) == 0 {
				return 0
			}
			b := script[0]
			script = script[1:]
			return int(b)
		}
		b := next()
		d := newDriver(t, 0, policy.Limits{Active: 1 + b%8, Controls: b / 8 % 2}, seed)
		for range 1 + next()%16 {
			d.add(spec(d.group.Len()))
		}
		d.advance()
		for len(script) > 0 {
			op, i := next(), next()%d.group.Len()
			switch op % 9 {
			case 0, 1:
				d.run(time.Duration(next()) * 20 * time.Millisecond)
			case 2:
				b := next()
				d.see(i, policy.Phase(b%4), policy.Outcome(b/4%12), func(ev *policy.Evidence) {
					ev.Elsewhere = b >= 128
					ev.Asked = d.now.Add(-time.Duration(b) * 10 * time.Millisecond)
				})
			case 3:
				d.group.Answered(i, d.now.Add(-time.Duration(next())*20*time.Millisecond), d.now)
				d.group.Granted(i, d.now)
			case 4:
				d.group.Use(i, d.now)
				d.dial(i)
			case 5:
				if d.group.Record(i).State == policy.Retired {
					d.restore(i, spec(i))
				} else if next() < 40 {
					d.group.Retire(i, d.now)
				} else if d.group.Len() < 40 {
					d.add(spec(d.group.Len()))
				}
			case 6:
				b := next()
				d.behaviour[i] = answer{
					greeting: policy.Outcome(b % 12),
					carried:  policy.Outcome(b / 12 % 12),
					took:     time.Duration(b) * 10 * time.Millisecond,
				}
				d.outside[i] = policy.Outcome(next() % 12)
			case 7:
				n := next()
				d.control = n < 128
				b := []answer{alive, silent, resets, frozen, refuses, mute, bare, unseen, ownHost}[n%9]
				d.set(b, d.everyone()...)
			case 8:
				d.run(time.Duration(next()) * 3 * time.Second)
			}
		}
		d.set(alive, d.everyone()...)
		looks := d.looks
		d.run(45 * time.Minute)
		if n := d.looks - looks; n > 20_000 {
			t.Errorf("%d looks in 45 minutes of peace", n)
		}
		left := d.group.Len() - len(d.in(policy.Retired))
		want := min(left, len(d.group.Slots()))
		if got := len(d.in(policy.Active)); got != want || len(d.in(policy.Active))+len(d.in(policy.Reserve)) != left || d.group.Outage() {
			t.Errorf("want %d of %d active and the rest in reserve; suspect %v, dead %v, outage %t",
				want, left, d.in(policy.Suspect), d.in(policy.Dead), d.group.Outage())
			for i := range d.group.Len() {
				t.Logf("%d: %+v", i, d.group.Record(i))
			}
		}
	})
}
