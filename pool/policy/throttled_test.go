package policy_test

import (
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Two flows at once that are far too slow, as a client's was before, are enough; one,
// or two that nothing has gone before, are not.
func TestThrottledAtOneLook(t *testing.T) {
	for _, tc := range []struct {
		name   string
		client bool
		flows  int
		after  int64
		want   policy.State
	}{
		{"two, and a client's", true, 2, 16 << 10, policy.Dead},
		{"two from the beginning", true, 2, 0, policy.Suspect},
		{"one, and a client's", true, 1, 16 << 10, policy.Suspect},
		{"two, and no client's", false, 2, 16 << 10, policy.Suspect},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := settled(t)
			i := d.group.Slots()[2]
			if tc.client {
				d.group.Observe(i, policy.Evidence{
					Phase: policy.Transfer, Outcome: policy.Slowed, Asked: d.now.Add(-time.Second), At: d.now, Rate: 8e3, Destination: 1,
				})
			}
			d.group.Examined(i, policy.Examination{
				Asked: d.now, At: d.now.Add(2 * time.Second), Depth: policy.Carry, Greeting: policy.Answered, RTT: roundTrip, Tries: 5,
				Size: 120 << 10, Usual: 1e6, UsualRTT: roundTrip, UsualBytes: 120 << 10,
				Down: policy.Passage{Outcome: policy.Slowed, Bytes: 32 << 10, Rate: 8e3, After: tc.after, Flows: tc.flows, Stopped: tc.flows},
			}, nil)
			if r := d.group.Record(i); r.State != tc.want {
				t.Errorf("%s, %s: %s", r.State, r.Verdict, r.Why)
			}
		})
	}
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
