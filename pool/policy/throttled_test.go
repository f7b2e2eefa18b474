package policy_test

import (
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// One look never throttles: a gap in the line makes all its flows slow together,
// whatever a client's flow was before. Nor does an upload, which is slower on most
// lines, beside a download.
func TestThrottledAtOneLook(t *testing.T) {
	slow := policy.Passage{Outcome: policy.Slowed, Bytes: 32 << 10, Rate: 8e3, After: 16 << 10, Flows: 2, Stopped: 2}
	well := policy.Passage{Outcome: policy.Answered, Bytes: 64 << 10, Rate: 1e6, Flows: 2}
	for _, tc := range []struct {
		name     string
		down, up policy.Passage
		looks    int
		want     policy.State
	}{
		{"one", slow, policy.Passage{}, 1, policy.Suspect},
		{"two", slow, policy.Passage{}, 2, policy.Dead},
		{"uploads", well, slow, 5, policy.Active},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := settled(t)
			i := d.group.Slots()[2]
			d.group.Observe(i, policy.Evidence{
				Phase: policy.Transfer, Outcome: policy.Slowed, Asked: d.now.Add(-time.Second), At: d.now, Rate: 8e3, Destination: 1,
			})
			for n := range tc.looks {
				d.group.Examined(i, policy.Examination{
					Asked: d.now, At: d.now.Add(2 * time.Second), Depth: policy.Carry, Greeting: policy.Answered, RTT: roundTrip, Tries: 5,
					Size: 120 << 10, Usual: 1e6, UsualRTT: roundTrip, UsualBytes: 120 << 10, Down: tc.down, Up: tc.up,
				}, nil)
				d.now = d.now.Add(time.Duration(n+3) * time.Second)
			}
			if r := d.group.Record(i); r.State != tc.want {
				t.Errorf("%s, %s: %s", r.State, r.Verdict, r.Why)
			}
		})
	}
}

// Where the way itself is long, nobody is late for it: what is silent there is
// suspected as soon as anywhere.
func TestLongWaysAreNoQueue(t *testing.T) {
	d := newDriver(t, 8, policy.Limits{}, 7)
	for i := range 8 {
		d.set(answer{policy.Answered, policy.Answered, 1100 * time.Millisecond}, i)
	}
	d.traffic(500 * time.Millisecond)
	d.run(2 * time.Minute)
	i := d.group.Slots()[0]
	at := d.since()
	d.set(silent, i)
	d.see(i, policy.Connect, policy.Silent)
	d.run(20 * time.Second)
	d.within("death", d.reached(i, policy.Dead, at).at-at, 0, 6*time.Second)
}

// A client's flow that is as fast as its path allows is no doubt, and a sender that
// is slow by himself is looked at once, and then left alone for a while.
func TestSlowSenders(t *testing.T) {
	d := settled(t)
	i := d.group.Slots()[2]
	d.run(time.Minute)
	looks := func(rate float64, times int) (n int) {
		at := d.since()
		for range times {
			d.see(i, policy.Transfer, policy.Slowed, func(ev *policy.Evidence) { ev.Rate, ev.Destination = rate, 9 })
			d.run(time.Second)
		}
		for _, e := range d.entries(policy.Examine, at) {
			if e.Endpoint == i && e.Size > policy.DefaultSize {
				n++
			}
		}
		return n
	}
	if n := looks(1e6, 5); n != 0 {
		t.Errorf("%d looks at a fast flow", n)
	}
	if n := looks(20e3, 20); n != 1 {
		t.Errorf("%d looks in 20 s at a slow sender, want 1", n)
	}
}
