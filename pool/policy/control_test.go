package policy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// controlled is settled, with a control outside of the pool that answers.
func controlled(t *testing.T, n int, l policy.Limits) *driver {
	t.Helper()
	l.Controls = 1
	d := newDriver(t, n, l, 1)
	d.control = true
	d.traffic(500 * time.Millisecond)
	d.run(20 * time.Second)
	if len(d.consulted) > 0 {
		t.Fatalf("the control was asked at %v, while all was well", d.consulted)
	}
	return d
}

// All eight are silent and the control answers: it is they. The reserve takes
// all slots as soon as the silence has lasted, and the verdicts follow.
func TestControlTellsThem(t *testing.T) {
	for _, lag := range []time.Duration{0, time.Millisecond} {
		t.Run(lag.String(), func(t *testing.T) { controlTellsThem(t, lag) })
	}
}

func controlTellsThem(t *testing.T, lag time.Duration) {
	d := controlled(t, 24, policy.Limits{})
	d.lag = lag
	lost := slices.Clone(d.group.Slots())
	blocked := d.in(policy.Reserve)[:3] // three of the reserve as well
	d.set(silent, append(blocked, lost...)...)
	at := d.since()
	d.run(8 * time.Second)
	if n := len(d.entries(policy.Canary, at)); n > 0 {
		t.Errorf("%d canaries, and a control answers\n%s", n, d.story(at))
	}
	if n := len(d.entries(policy.OutageBegan, at)); n > 0 {
		t.Error("it is not us")
	}
	if len(d.consulted) == 0 || len(d.consulted) > 3 {
		t.Errorf("the control was asked at %v", d.consulted)
	}
	var fresh []entry
	for _, e := range d.entries(policy.Transition, at) {
		if e.From == policy.Reserve && e.To == policy.Active {
			fresh = append(fresh, e)
		}
	}
	if len(fresh) < 8 {
		t.Fatalf("want 8 of the reserve put to use, got %d\n%s", len(fresh), d.story(at))
	}
	for _, e := range fresh[:8] {
		d.within("the reserve serves", e.at-at, 900*time.Millisecond, 1500*time.Millisecond)
	}
	for _, i := range lost {
		dead := d.reached(i, policy.Dead, at)
		d.within("verdict", dead.at-at, silence, 2500*time.Millisecond)
		if dead.Cause != policy.Silent {
			t.Errorf("endpoint %d: want silent, got %s", i, dead.Cause)
		}
	}
	for _, i := range blocked {
		if d.group.Record(i).Exposed {
			d.reached(i, policy.Dead, at)
		}
	}
	if n := len(d.in(policy.Active)); n != 8 {
		t.Errorf("want 8 active, got %d\n%s", n, d.story(at))
	}
}

// Whom the control condemns stays where it is if nobody is in reserve, and that
// is no outage.
func TestControlWithoutReserve(t *testing.T) {
	d := controlled(t, 3, policy.Limits{})
	d.set(silent, 0, 1, 2)
	at := d.since()
	d.run(30 * time.Second)
	for i := range 3 {
		d.within("verdict", d.reached(i, policy.Dead, at).at-at, silence, 3*time.Second)
	}
	if es := d.entries(policy.OutageBegan, at); len(es) > 0 {
		t.Errorf("it is taken to be us\n%s", d.story(at))
	}
	d.set(alive, 0, 1, 2)
	d.run(time.Minute)
	if n := len(d.in(policy.Active)); n != 3 {
		t.Errorf("want 3 active, got %d", n)
	}
}

// The control is silent with all others: it is us as far as anybody can know,
// canaries are asked, none of them before the control, and nobody is judged.
func TestControlSilent(t *testing.T) {
	d := controlled(t, 16, policy.Limits{})
	at := d.since()
	d.control = false
	d.set(silent, d.everyone()...)
	d.run(20 * time.Second)
	canaries := d.entries(policy.Canary, at)
	if len(canaries) < 3 || len(canaries) > 4 {
		t.Fatalf("want 3 or 4 canaries, got %d", len(canaries))
	}
	d.within("the first canary", canaries[0].at-at, time.Second, 2*time.Second)
	if len(d.consulted) == 0 || d.consulted[0] > canaries[0].at-silence {
		t.Errorf("the control was asked at %v, the first canary at %s", d.consulted, canaries[0].at)
	}
	for n := 1; n < len(d.consulted); n++ {
		if d.consulted[n]-d.consulted[n-1] < time.Second {
			t.Errorf("the control was asked at %s and %s", d.consulted[n-1], d.consulted[n])
		}
	}
	if dead := d.in(policy.Dead); len(dead) > 0 || !d.group.Outage() {
		t.Errorf("dead: %v, outage: %t", dead, d.group.Outage())
	}
	before := slices.Clone(d.group.Slots())
	d.control = true
	d.set(alive, d.everyone()...)
	d.run(3 * time.Second)
	if !slices.Equal(before, d.group.Slots()) || d.group.Outage() || len(d.in(policy.Dead)) > 0 {
		t.Errorf("the return has changed the slots:\n%s", d.story(at))
	}
	asked := len(d.consulted)
	d.run(time.Minute)
	if len(d.consulted) != asked {
		t.Errorf("the control is still asked: %v", d.consulted[asked:])
	}
}

// The network was down, and when it comes back the endpoints in use are blocked:
// the control, silent at first, tells that.
func TestControlAnswersLate(t *testing.T) {
	d := controlled(t, 32, policy.Limits{})
	lost := slices.Clone(d.group.Slots())
	d.control = false
	d.set(silent, d.everyone()...)
	d.run(12 * time.Second)
	if !d.group.Outage() {
		t.Fatal("no outage")
	}
	at := d.since()
	d.control = true
	for i := range d.group.Len() {
		if !slices.Contains(lost, i) {
			d.set(alive, i)
		}
	}
	d.run(4 * time.Second)
	if n := len(d.entries(policy.Canary, at)); n > 0 {
		t.Errorf("%d canaries\n%s", n, d.story(at))
	}
	for _, i := range lost {
		d.reached(i, policy.Dead, at)
	}
	if ended := d.entries(policy.OutageEnded, at); len(ended) != 1 || ended[0].Endpoint != -1 || ended[0].Why == "" {
		t.Errorf("want the control's word for the end, got %v", ended)
	}
	if n := len(d.in(policy.Active)); n != 8 || d.group.Outage() {
		t.Errorf("%d active, outage %t\n%s", n, d.group.Outage(), d.story(at))
	}
}

// A short outage of our own, whose end the control notices first, draws on
// nobody: the endpoints answer the questions of the same instant. (A canary that
// was asked in that moment gets a slot, as ever.)
func TestControlIsOnlyQuicker(t *testing.T) {
	for span := 200 * time.Millisecond; span < 6*time.Second; span += 70 * time.Millisecond {
		d := controlled(t, 24, policy.Limits{})
		at := d.since()
		d.control, d.nearness = false, roundTrip-time.Millisecond
		d.set(silent, d.everyone()...)
		d.run(span)
		canaries := len(d.entries(policy.Canary, at))
		d.control = true
		d.set(alive, d.everyone()...)
		d.run(5 * time.Second)
		canaries = len(d.entries(policy.Canary, at)) - canaries // those after the return
		fresh := 0
		for _, e := range d.entries(policy.Transition, at) {
			if e.From == policy.Reserve && e.To == policy.Active {
				fresh++
			}
		}
		if canaries > 1 || fresh > canaries || len(d.in(policy.Dead)) > 0 {
			t.Fatalf("%s: %d canaries after the return, %d of the reserve put to use\n%s", span, canaries, fresh, d.story(at))
		}
	}
}

// A lone endpoint has nobody else to bear witness.
func TestControlForALoneEndpoint(t *testing.T) {
	t.Run("blocked", func(t *testing.T) {
		d := controlled(t, 4, policy.Limits{Active: 1})
		lost := d.group.Slots()[0]
		d.set(silent, lost)
		at := d.since()
		d.run(3 * time.Second)
		d.within("verdict", d.reached(lost, policy.Dead, at).at-at, silence, 2500*time.Millisecond)
		if n := len(d.entries(policy.Canary, at)); n > 0 || len(d.in(policy.Reserve)) != 2 {
			t.Errorf("%d canaries, %v in reserve", n, d.in(policy.Reserve))
		}
	})
	t.Run("one late answer", func(t *testing.T) {
		d := controlled(t, 4, policy.Limits{Active: 1})
		at := d.since()
		d.see(d.group.Slots()[0], policy.Connect, policy.Overdue)
		d.run(time.Minute)
		if es := d.entries(policy.Transition, at); len(es) > 0 || len(d.consulted) != 1 {
			t.Errorf("asked at %v:\n%s", d.consulted, d.story(at))
		}
	})
}

// While another endpoint is there to bear witness, no control is asked.
func TestControlIsNotNeeded(t *testing.T) {
	d := controlled(t, 16, policy.Limits{})
	for _, b := range []answer{silent, resets, frozen, rejects} {
		i := d.in(policy.Active)[0]
		d.set(b, i)
		d.see(i, policy.Transfer, policy.Stalled)
		d.run(10 * time.Second)
		if s := d.group.Record(i).State; s == policy.Active {
			t.Errorf("%v: it is %s", b, s)
		}
	}
	d.run(time.Hour)
	if len(d.consulted) > 0 {
		t.Errorf("the control was asked at %v", d.consulted)
	}
}

func TestControlsLimit(t *testing.T) {
	if _, err := policy.NewGroup(policy.Limits{Controls: -1}, 1); err == nil {
		t.Error("want an error for less than no controls")
	}
}
