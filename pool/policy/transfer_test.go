package policy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// A stream that stops makes a suspect at once; the examination stalls as well,
// and one more greeting shows that it is the flow and not the path.
func TestFreeze(t *testing.T) {
	d := settled(t)
	i := d.group.Slots()[2]
	d.set(frozen, i)
	at := d.since()
	d.see(i, policy.Transfer, policy.Stalled, func(ev *policy.Evidence) { ev.Bytes = 15 << 10 })
	if s := d.group.Record(i).State; s != policy.Suspect {
		t.Fatalf("want a suspect at once, got %s", s)
	}
	d.run(10 * time.Second)
	dead := d.reached(i, policy.Dead, at)
	if dead.Verdict != policy.Frozen || dead.Cause != policy.Stalled {
		t.Errorf("want frozen by a stall, got %s by %s", dead.Verdict, dead.Cause)
	}
	var depths []policy.Depth
	for _, e := range d.entries(policy.Examine, at) {
		if e.Endpoint == i && e.at <= dead.at {
			depths = append(depths, e.Depth)
		}
	}
	if !slices.Equal(depths, []policy.Depth{policy.Carry, policy.Greet}) {
		t.Errorf("want one transfer and one greeting, got %v", depths)
	}
	// Its greetings are answered all the time, by clients who find nothing
	// better: that is no reason to take it back.
	d.group.Answered(i, d.now, d.now)
	d.run(time.Hour)
	if s := d.group.Record(i).State; s != policy.Dead {
		t.Errorf("after an hour: want dead still, got %s", s)
	}
}

// A freeze that nobody reports is found by the routine examination.
func TestFreezeIsFoundWithoutTraffic(t *testing.T) {
	d := newDriver(t, 8, policy.Limits{}, 1)
	d.run(time.Minute)
	d.set(frozen, 0)
	d.run(31 * time.Minute)
	if v := d.reached(0, policy.Dead, 0).Verdict; v != policy.Frozen {
		t.Errorf("want frozen, got %s", v)
	}
}

// A lull with a good examination is cleared, and raises no suspicion for a
// while; the while doubles with each false alarm, and is forgotten in time.
func TestLullIsClearedAndMuted(t *testing.T) {
	d := settled(t)
	i := d.group.Slots()[0]
	lull := func() policy.State {
		d.see(i, policy.Transfer, policy.Stalled)
		s := d.group.Record(i).State
		d.run(time.Second)
		if now := d.group.Record(i).State; now != policy.Active {
			t.Fatalf("want it cleared, got %s", now)
		}
		return s
	}
	steps := []struct {
		pause time.Duration
		want  policy.State
	}{
		{0, policy.Suspect},
		{10 * time.Second, policy.Active},  // muted for 30 s
		{25 * time.Second, policy.Suspect}, // not any more
		{35 * time.Second, policy.Active},  // muted for 60 s now
		{25 * time.Second, policy.Active},  // not after two false alarms
		{30 * time.Minute, policy.Suspect}, // long ago: the next is muted for 30 s
		{35 * time.Second, policy.Active},  // one false alarm just before
	}
	for n, s := range steps {
		d.run(s.pause)
		if got := lull(); got != s.want {
			t.Errorf("lull %d, after %s: want %s, got %s", n, s.pause, s.want, got)
		}
	}
}

// Without a probe target the streams themselves must tell: one lull is cleared,
// two soon after each other are a freeze, two far apart are not.
func TestLullsWithoutTarget(t *testing.T) {
	for _, tt := range []struct {
		name  string
		pause time.Duration
		want  policy.State
	}{
		{"soon", 5 * time.Second, policy.Dead},
		{"far apart", 5 * time.Minute, policy.Active},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t, 4, policy.Limits{}, 1)
			d.set(bare, 0, 1, 2, 3)
			d.run(time.Second)
			d.see(0, policy.Transfer, policy.Stalled)
			d.run(tt.pause)
			if s := d.group.Record(0).State; s != policy.Active {
				t.Fatalf("after the first: want active, got %s", s)
			}
			d.see(0, policy.Transfer, policy.Stalled)
			d.run(5 * time.Second)
			if s := d.group.Record(0).State; s != tt.want {
				t.Errorf("after the second: want %s, got %s", tt.want, s)
			}
		})
	}
}

// Three requests refused that others grant are no egress; refusals that others
// repeat are the destination's, and a grant in between starts anew.
func TestRefusals(t *testing.T) {
	tests := []struct {
		name   string
		b      answer
		report func(d *driver)
		want   policy.State
	}{
		{"granted elsewhere", refuses, func(d *driver) {
			for range 3 {
				d.see(0, policy.Request, policy.Refused, elsewhere)
			}
		}, policy.Dead},
		{"granted elsewhere, no target", bare, func(d *driver) {
			for range 3 {
				d.see(0, policy.Request, policy.Refused, elsewhere)
			}
		}, policy.Dead},
		{"the destination's own", alive, func(d *driver) {
			for range 30 {
				d.see(0, policy.Request, policy.Refused)
			}
		}, policy.Active},
		{"with a grant in between", refuses, func(d *driver) {
			d.see(0, policy.Request, policy.Refused, elsewhere)
			d.see(0, policy.Request, policy.Refused, elsewhere)
			d.group.Granted(0, d.now)
			d.see(0, policy.Request, policy.Refused, elsewhere)
		}, policy.Active},
		{"takes the request and never answers", mute, func(d *driver) {
			for range 3 {
				d.see(0, policy.Request, policy.Silent, elsewhere)
			}
		}, policy.Dead},
		{"a destination that closes", alive, func(d *driver) {
			for range 30 {
				d.see(0, policy.Request, policy.Closed)
			}
		}, policy.Active},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t, 4, policy.Limits{}, 1)
			d.run(time.Second)
			d.set(tt.b, 0)
			at := d.since()
			tt.report(d)
			d.run(6 * time.Second)
			if tt.want == policy.Active {
				if es := d.entries(policy.Transition, at); len(es) > 0 {
					t.Errorf("want nothing to happen:\n%s", d.story(at))
				}
				return
			}
			if dead := d.reached(0, policy.Dead, at); dead.Verdict != policy.NoEgress {
				t.Errorf("want no-egress, got %s", dead.Verdict)
			}
			d.run(30 * time.Second)
			for _, e := range d.entries(policy.Transition, at) {
				if e.Endpoint == 0 && e.To == policy.Probation && tt.b != bare {
					t.Errorf("it came back on probation at %s with nothing mended", e.at)
				}
			}
		})
	}
}

// A stream whose path is silent makes a suspect, which the greeting clears.
func TestSilentStream(t *testing.T) {
	d := settled(t)
	i := d.group.Slots()[0]
	d.run(100 * time.Millisecond)
	d.see(i, policy.Transfer, policy.Silent, func(ev *policy.Evidence) { ev.Asked = d.now })
	if s := d.group.Record(i).State; s != policy.Suspect {
		t.Fatalf("want suspect, got %s", s)
	}
	d.run(200 * time.Millisecond)
	if s := d.group.Record(i).State; s != policy.Active {
		t.Errorf("want it cleared by a greeting, got %s", s)
	}
}

// A stall is confirmed by a greeting; but if the confirming look happens to carry
// all of its bytes, the stall was a lull.
func TestStallThatPasses(t *testing.T) {
	d := settled(t)
	i := d.group.Slots()[0]
	asked := d.now
	d.group.Examined(i, policy.Examination{
		Asked: asked, At: asked, Depth: policy.Carry, Greeting: policy.Answered, Down: policy.Passage{Outcome: policy.Stalled, Bytes: 15 << 10},
	}, nil)
	if s := d.group.Record(i).State; s != policy.Suspect {
		t.Fatalf("want suspect, got %s", s)
	}
	d.group.Examined(i, policy.Examination{
		Asked: asked, At: asked, Depth: policy.Carry, Greeting: policy.Answered, Down: policy.Passage{Outcome: policy.Answered, Bytes: 64 << 10},
	}, nil)
	if s := d.group.Record(i).State; s != policy.Active {
		t.Errorf("want it cleared, got %s", s)
	}
}
