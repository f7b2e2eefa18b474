package policy_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// What is silent here and answers others is blocked, what answers neither is down,
// and without a view it stays open; each within 3 s of the first question.
func TestBlockedOrDown(t *testing.T) {
	tests := []struct {
		name    string
		b       answer
		outside policy.Outcome
		want    string
	}{
		{"dropped", silent, policy.Answered, "blocked (dropped)"},
		{"reset", resets, policy.Answered, "blocked (reset)"},
		{"rejected", rejects, policy.Answered, "blocked (rejected)"},
		{"host dead", silent, policy.Silent, "down"},
		{"process dead", resets, policy.Reset, "down"},
		{"not seen", silent, policy.None, "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := settled(t)
			i := d.group.Slots()[3]
			d.set(tt.b, i)
			if tt.outside != policy.None {
				d.outside[i] = tt.outside
			}
			at := d.since()
			d.run(10 * time.Second)
			dead := d.reached(i, policy.Dead, at)
			if got := dead.Verdict.With(dead.Cause); got != tt.want {
				t.Errorf("want %s, got %s: %s", tt.want, got, dead.Why)
			}
			if (dead.Confidence > .9) != (tt.want != "unknown") && tt.want != "unknown" {
				t.Errorf("confidence %v", dead.Confidence)
			}
			d.within("verdict", dead.at-at, 0, 3*time.Second)
		})
	}
}

func TestConcludeByViews(t *testing.T) {
	up := policy.View{Through: "other:1080", Control: policy.Answered, Suspect: policy.Answered}
	down := policy.View{Through: "other:1080", Control: policy.Answered, Suspect: policy.Silent}
	blind := policy.View{Through: "other:1080", Control: policy.Silent, Suspect: policy.Silent}
	refused := func(reply uint8) policy.View {
		return policy.View{Through: "other:1080", Control: policy.Answered, Suspect: policy.Refused, Reply: reply}
	}
	here := policy.Examination{Greeting: policy.Silent, Phase: policy.Connect, Tries: 5, Failures: 5}
	tests := []struct {
		name  string
		views []policy.View
		want  policy.Verdict
	}{
		{"up", []policy.View{up}, policy.Blocked},
		{"down", []policy.View{down}, policy.Down},
		{"one up is enough", []policy.View{down, up}, policy.Blocked},
		{"a viewer that is gone sees nothing", []policy.View{blind}, policy.Unknown},
		{"a viewer that is gone and one that sees it down", []policy.View{blind, down}, policy.Down},
		{"general failure is no view", []policy.View{refused(1)}, policy.Unknown},
		{"not allowed is no view", []policy.View{refused(2)}, policy.Unknown},
		{"refused by its host", []policy.View{refused(5)}, policy.Down},
		{"no host there", []policy.View{refused(4)}, policy.Down},
		{"none", nil, policy.Unknown},
	}
	for _, tt := range tests {
		x := here
		x.Views = tt.views
		c := policy.Conclude(x)
		if c.Verdict != tt.want {
			t.Errorf("%s: want %s, got %s: %s", tt.name, tt.want, c, c.Why)
		}
		if tt.want == policy.Unknown && !strings.Contains(c.Why, "blocked or down") {
			t.Errorf("%s: %s", tt.name, c.Why)
		}
	}
	two := here
	two.Views = []policy.View{down, down}
	one := here
	one.Views = []policy.View{down}
	if policy.Conclude(two).Confidence <= policy.Conclude(one).Confidence {
		t.Error("two views are to be trusted more than one")
	}
}

// Slowness is throttling only if the path allows far more, and others get it.
func TestConcludeThrottled(t *testing.T) {
	x := func(rate, usual, loss float64) policy.Examination {
		return policy.Examination{
			Greeting: policy.Answered, RTT: 50 * time.Millisecond, Loss: loss, Usual: usual, Size: policy.DefaultSize,
			Down: policy.Passage{Outcome: policy.Slowed, Bytes: 20 << 10, Rate: rate},
		}
	}
	tests := []struct {
		name string
		x    policy.Examination
		want policy.Verdict
	}{
		{"policed", x(2000, 200_000, 0), policy.Throttled},
		{"our own line is slow", x(2000, 3000, 0), policy.Unknown},
		{"nothing to compare it to", x(2000, 0, 0), policy.Unknown},
		{"as the path allows", x(150_000, 1e7, 0), policy.Unknown},
		{"loss explains it", x(2000, 200_000, .3), policy.Unknown},
	}
	for _, tt := range tests {
		if c := policy.Conclude(tt.x); c.Verdict != tt.want {
			t.Errorf("%s: want %s, got %s: %s", tt.name, tt.want, c, c.Why)
		}
	}
}

// Each of two paths is measured by what it allows itself.
func TestThrottledByItsOwnPath(t *testing.T) {
	const near, far = 20 * time.Millisecond, 300 * time.Millisecond
	x := func(rtt time.Duration, rate float64, after int64, usual float64, usualRTT time.Duration, loss float64) policy.Examination {
		return policy.Examination{
			Greeting: policy.Answered, RTT: rtt, Loss: loss, Size: 128 << 10, Usual: usual, UsualRTT: usualRTT, UsualBytes: 96 << 10,
			Down: policy.Passage{Outcome: policy.Slowed, Bytes: 96 << 10, After: after, Rate: rate},
		}
	}
	tests := []struct {
		name string
		x    policy.Examination
		want policy.Verdict
	}{
		// 32 kB/s are a third of what slow start allows on so long a path, but a sixth
		// of what it does after the first 16 KiB.
		{"far, past its burst", x(far, 32e3, 16<<10, 1.3e6, near, 0), policy.Throttled},
		{"far, in slow start", x(far, 32e3, 0, 1.3e6, near, 0), policy.Unknown},
		// More is lost than is known, here and there.
		{"loss that is not known", x(far, 12e3, 0, 150e3, near, 0), policy.Unknown},
		{"all are slow", x(near, 3e3, 0, 13e3, near, 0), policy.Unknown},
	}
	for _, tt := range tests {
		if c := policy.Conclude(tt.x); c.Verdict != tt.want {
			t.Errorf("%s: want %s, got %s: %s", tt.name, tt.want, c, c.Why)
		}
	}
}

func TestConcludeEgress(t *testing.T) {
	base := policy.Examination{Greeting: policy.Answered, Down: policy.Passage{Outcome: policy.Answered, Bytes: 64 << 10}}
	for _, tt := range []struct {
		outcome policy.Outcome
		reply   uint8
		want    policy.Verdict
	}{
		{policy.Answered, 0, policy.Alive},
		{policy.Refused, 3, policy.NoEgress},
		{policy.Refused, 2, policy.Alive}, // by rule
		{policy.Refused, 5, policy.Alive}, // the other's own answer
		{policy.Closed, 0, policy.NoEgress},
		{policy.Silent, 0, policy.NoEgress},
		{policy.None, 0, policy.Alive},
	} {
		x := base
		x.Egress, x.EgressReply = tt.outcome, tt.reply
		if c := policy.Conclude(x); c.Verdict != tt.want {
			t.Errorf("%s %d: want %s, got %s", tt.outcome, tt.reply, tt.want, c)
		}
	}
	// What cannot be downloaded while another endpoint is reached is the target's fault.
	x := policy.Examination{Greeting: policy.Answered, Down: policy.Passage{Outcome: policy.Silent}, Egress: policy.Answered}
	if c := policy.Conclude(x); c.Verdict != policy.Alive {
		t.Errorf("a dead target: %s: %s", c, c.Why)
	}
}

// The worse the path, the more failures in a row a verdict takes.
func TestEnough(t *testing.T) {
	last := 0
	for _, loss := range []float64{0, .001, .03, .05, .1, .2, .4, .9, 1} {
		n := policy.Enough(loss)
		if n < 5 || n > 24 || n < last && loss > .03 {
			t.Errorf("loss %v: %d", loss, n)
		}
		if loss > 0 && n < 24 && math.Pow(loss, float64(n)) > 1e-7 {
			t.Errorf("loss %v: %d failures come by chance with %g", loss, n, math.Pow(loss, float64(n)))
		}
		last = n
	}
}

func TestLossForgets(t *testing.T) {
	var l policy.Loss
	if got := l.Share(start, .03, 10); got != .03 {
		t.Errorf("nothing known: %v", got)
	}
	for n := range 100 {
		l.Note(5, 1, start.Add(time.Duration(n)*time.Second))
	}
	now := start.Add(100 * time.Second)
	if got := l.Share(now, .03, 10); got < .18 || got > .2 {
		t.Errorf("a fifth is lost: %v", got)
	}
	if got := l.Share(now.Add(5*time.Hour), .03, 10); got > .031 {
		t.Errorf("long after: %v", got)
	}
}

// A long transfer comes near to what loss allows (Mathis), a short one to what
// slow start does.
func TestAllowed(t *testing.T) {
	const mss = 1448
	for _, rtt := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond} {
		for _, p := range []float64{.001, .01} {
			mathis := mss / (rtt.Seconds() * math.Sqrt(2*p/3))
			if got := policy.Allowed(1<<30, rtt, p); got > mathis || got < .7*mathis {
				t.Errorf("rtt %v, loss %v: %.0f B/s, Mathis gives %.0f", rtt, p, got, mathis)
			}
		}
		// 64 KiB are three flights, after one round trip for the request.
		if got, want := policy.Allowed(64<<10, rtt, 0), 65536/(4*rtt.Seconds()); math.Abs(got-want) > 1 {
			t.Errorf("rtt %v: %.0f B/s, want %.0f", rtt, got, want)
		}
	}
}

// Flows to one destination that stop at every endpoint are no endpoint's fault;
// those that stop at one alone, one after the other at the same count, are, though
// every examination goes well.
func TestOneName(t *testing.T) {
	stop := func(d *driver, i int, destination uint64) {
		d.see(i, policy.Transfer, policy.Silent, func(ev *policy.Evidence) {
			ev.Asked = d.now.Add(-time.Minute) // the path has answered since
			ev.Bytes, ev.Destination = 15<<10, destination
		})
	}
	t.Run("everywhere", func(t *testing.T) {
		d := settled(t)
		at := d.since()
		for range 20 {
			for _, i := range d.group.Slots() {
				stop(d, i, 7)
				d.run(200 * time.Millisecond)
			}
		}
		d.run(20 * time.Second)
		for _, e := range d.entries(policy.Transition, at) {
			if e.To == policy.Dead {
				t.Errorf("%d is dead: %s", e.Endpoint, e.Why)
			}
		}
	})
	for _, destinations := range []uint64{1, 3} {
		t.Run(fmt.Sprintf("at one endpoint, to %d", destinations), func(t *testing.T) {
			d := settled(t)
			i := d.group.Slots()[0]
			at := d.since()
			for n := range uint64(8) {
				stop(d, i, 1+n%destinations)
				d.run(2 * time.Second)
			}
			d.run(20 * time.Second)
			if dead := d.reached(i, policy.Dead, at); dead.Verdict != policy.Frozen {
				t.Errorf("want frozen, got %s: %s", dead.Verdict, dead.Why)
			}
		})
	}
}

// An endpoint that comes and goes is tried more and more seldom: the changes of its
// state in an hour are few.
func TestFlapping(t *testing.T) {
	d := settled(t)
	i := d.group.Slots()[0]
	at := d.since()
	var flip func()
	up := true
	flip = func() {
		if up = !up; up {
			d.set(alive, i)
		} else {
			d.set(silent, i)
		}
		d.after(20*time.Second, flip)
	}
	flip()
	d.run(time.Hour)
	changes := 0
	for _, e := range d.entries(policy.Transition, at) {
		if e.Endpoint == i && e.From != e.To {
			changes++
		}
	}
	if changes == 0 || changes > 60 {
		t.Errorf("%d changes of state in an hour, want at most 60", changes)
	}
}
