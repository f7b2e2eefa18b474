package policy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// everyone is the indexes of all endpoints.
func (d *driver) everyone() []int {
	is := make([]int, d.group.Len())
	for i := range is {
		is[i] = i
	}
	return is
}

// All eight are silent, the reserve is reachable: one canary is exposed, takes
// over a slot, bears witness against the others, and the reserve fills up.
func TestThem(t *testing.T) {
	d := settled(t)
	lost := slices.Clone(d.group.Slots())
	d.set(silent, lost...)
	at := d.since()
	d.run(6 * time.Second)
	canaries := d.entries(policy.Canary, at)
	if len(canaries) != 1 {
		t.Fatalf("want one canary, got %d\n%s", len(canaries), d.story(at))
	}
	canary := canaries[0]
	d.within("canary", canary.at-at, 900*time.Millisecond, 1600*time.Millisecond)
	up := d.reached(canary.Endpoint, policy.Active, at)
	d.within("the canary serves", up.at-canary.at, 0, 2*roundTrip)
	for _, i := range lost {
		dead := d.reached(i, policy.Dead, at)
		d.within("verdict", dead.at-up.at, 0, silence+200*time.Millisecond)
		if dead.Cause != policy.Silent {
			t.Errorf("endpoint %d: want silent, got %s", i, dead.Cause)
		}
	}
	if n := len(d.in(policy.Active)); n != 8 {
		t.Errorf("want 8 of the reserve active, got %d", n)
	}
	if n := len(d.entries(policy.OutageBegan, at)); n > 0 {
		t.Error("it is not us")
	}
}

// Everything is silent: three canaries, one each 2 s, then it is us, and more of
// them with growing pauses: nothing is dead. Upon the return everything is active again.
func TestUs(t *testing.T) {
	for _, span := range []time.Duration{3 * time.Second, 20 * time.Second, time.Hour} {
		t.Run(span.String(), func(t *testing.T) {
			d := settled(t)
			before := slices.Clone(d.group.Slots())
			at := d.since()
			d.set(silent, d.everyone()...)
			d.run(span)
			canaries := d.entries(policy.Canary, at)
			for n, c := range canaries {
				if n > 0 && c.at-canaries[n-1].at < 2*time.Second {
					t.Errorf("canaries at %s and %s", canaries[n-1].at, c.at)
				}
			}
			if span > 10*time.Second {
				want := 4 // the fourth 3 s after the third
				if span == time.Hour {
					want = 8 // that is the whole reserve, which is then asked again
				}
				if n := len(canaries); n < want || n > 2*want {
					t.Errorf("want about %d canaries, got %d", want, n)
				}
				began := d.entries(policy.OutageBegan, at)
				if len(began) != 1 || !d.group.Outage() {
					t.Fatalf("want one outage, got %d", len(began))
				}
				d.within("outage", began[0].at-at, 5*time.Second, 8*time.Second)
			}
			d.set(alive, d.everyone()...)
			back := d.since()
			d.run(2 * time.Second)
			if span > 10*time.Second {
				ended := d.entries(policy.OutageEnded, at)
				if len(ended) != 1 || d.group.Outage() {
					t.Fatalf("want one end, got %d", len(ended))
				}
				d.within("end", ended[0].at-back, 0, time.Second)
				if !slices.Equal(before, d.group.Slots()) {
					t.Errorf("the slots have changed hands: %v, %v", before, d.group.Slots())
				}
			}
			d.run(3 * time.Second)
			if dead := d.in(policy.Dead); len(dead) > 0 {
				t.Errorf("dead: %v\n%s", dead, d.story(at))
			}
			if n := len(d.in(policy.Active)); n != 8 {
				t.Errorf("want 8 active, got %d\n%s", n, d.story(back))
			}
			if es := d.entries(policy.Transition, back+2*time.Second); len(es) > 0 {
				t.Errorf("it goes on after 2 s:\n%s", d.story(back))
			}
		})
	}
}

// Canaries come from another provider than those that are silent.
func TestCanaryIsOfAnotherProvider(t *testing.T) {
	d := newDriver(t, 1, policy.Limits{Active: 1}, 1)
	for _, i := range []int{4, 1, 8, 5} {
		d.add(spec(i))
	}
	other := d.add(spec(2))
	d.add(spec(12))
	d.traffic(500 * time.Millisecond)
	d.run(10 * time.Second)
	at := d.since()
	d.set(silent, d.everyone()...)
	d.run(3 * time.Second)
	canaries := d.entries(policy.Canary, at)
	if len(canaries) == 0 || canaries[0].Endpoint != other {
		t.Errorf("want canary %d, got:\n%s", other, d.story(at))
	}
}

// One late answer of a lone endpoint after a long rest exposes no canary: the
// silence has to last for Quiet first.
func TestOneLateAnswerExposesNobody(t *testing.T) {
	d := newDriver(t, 4, policy.Limits{Active: 1}, 1)
	d.run(10 * time.Minute)
	at := d.since()
	i := d.group.Slots()[0]
	asked := d.now.Add(-overdue)
	d.group.Observe(i, policy.Evidence{Phase: policy.Connect, Outcome: policy.Overdue, Asked: asked, At: d.now})
	d.advance()
	d.run(time.Minute)
	if n := len(d.entries(policy.Canary, at)); n > 0 {
		t.Errorf("%d canaries:\n%s", n, d.story(at))
	}
}

// What was asked before the end of an outage condemns nobody, even if a control
// of the same moment answered in the end.
func TestNoVerdictFromAnOutage(t *testing.T) {
	d := settled(t)
	before := slices.Clone(d.group.Slots())
	d.set(silent, d.everyone()...)
	d.run(10 * time.Second)
	if !d.group.Outage() {
		t.Fatal("no outage")
	}
	asked := d.now
	d.run(500 * time.Millisecond)
	d.set(alive, d.everyone()...)
	d.run(500 * time.Millisecond)
	x := policy.Examination{Asked: asked, At: d.now, Greeting: policy.Silent, Phase: policy.Connect}
	control := policy.Examination{Asked: asked, At: d.now, Greeting: policy.Answered}
	d.group.Examined(before[0], x, []policy.Control{{Endpoint: before[1], Examination: control}})
	d.advance()
	if s := d.group.Record(before[0]).State; s == policy.Dead {
		t.Error("condemned for silence in an outage")
	}
	d.run(2 * time.Second)
	if n := len(d.in(policy.Active)); n != 8 {
		t.Errorf("want 8 active, got %d", n)
	}
}

// An outage that began for want of canaries asks those that are added later.
func TestFreshEndpointInAnOutage(t *testing.T) {
	d := newDriver(t, 3, policy.Limits{}, 1)
	d.traffic(time.Second)
	d.run(10 * time.Second)
	d.set(silent, 0, 1, 2)
	d.run(10 * time.Second)
	if !d.group.Outage() {
		t.Fatal("no outage")
	}
	at := d.since()
	fresh := d.add(spec(7))
	d.run(5 * time.Second)
	d.within("the fresh one serves", d.reached(fresh, policy.Active, at).at-at, 0, 2*time.Second)
	for i := range 3 {
		d.reached(i, policy.Dead, at)
	}
	if d.group.Outage() {
		t.Error("the outage goes on")
	}
}

// If those that were silent are all gone, the outage is over, and the reserve
// takes their place.
func TestOutageEndsWithItsEndpoints(t *testing.T) {
	t.Run("reset", func(t *testing.T) {
		d := settled(t)
		held := slices.Clone(d.group.Slots())
		d.set(silent, d.everyone()...)
		d.run(10 * time.Second)
		d.set(resets, held...)
		for i := range d.group.Len() {
			if !slices.Contains(held, i) {
				d.set(alive, i)
			}
		}
		at := d.since()
		d.run(10 * time.Second)
		if n := len(d.in(policy.Active)); n != 8 || d.group.Outage() {
			t.Errorf("want 8 active and no outage, got %d, %t\n%s", n, d.group.Outage(), d.story(at))
		}
	})
	t.Run("removed", func(t *testing.T) {
		d := newDriver(t, 2, policy.Limits{}, 1)
		d.traffic(time.Second)
		d.set(silent, 0, 1)
		d.run(10 * time.Second)
		d.group.Retire(0, d.now)
		d.group.Retire(1, d.now)
		d.advance()
		if d.group.Outage() {
			t.Error("an outage of nobody")
		}
		fresh := d.add(spec(3))
		d.run(time.Second)
		d.reached(fresh, policy.Active, 0)
	})
}

// A suspect whose slot went to a canary is not forgotten: if it answers after
// all, it goes to the reserve.
func TestSuspectWithoutSlot(t *testing.T) {
	d := settled(t)
	at := d.since()
	held := slices.Clone(d.group.Slots())
	d.set(silent, held...)
	for len(d.entries(policy.Canary, at)) == 0 {
		d.run(10 * time.Millisecond)
	}
	d.set(alive, held...)
	d.run(10 * time.Second)
	if len(d.in(policy.Suspect)) > 0 || len(d.in(policy.Dead)) > 0 {
		t.Errorf("suspect: %v, dead: %v", d.in(policy.Suspect), d.in(policy.Dead))
	}
	if len(d.in(policy.Active)) != 8 || len(d.in(policy.Reserve)) != 8 {
		t.Errorf("active: %v, reserve: %v", d.in(policy.Active), d.in(policy.Reserve))
	}
}

// The first three canaries are blocked as well, and a fourth reserve is not: it
// is found in the end, instead of lying idle for ever.
func TestLateCanary(t *testing.T) {
	d := settled(t)
	lucky := d.in(policy.Reserve)[0]
	d.set(silent, slices.DeleteFunc(d.everyone(), func(i int) bool { return i == lucky })...)
	at := d.since()
	for d.group.Record(lucky).State != policy.Active && d.since()-at < 4*time.Hour {
		d.run(10 * time.Second)
	}
	if s := d.group.Record(lucky).State; s != policy.Active {
		t.Fatalf("the one that answers is %s after 4 h\n%s", s, d.story(at))
	}
	d.run(10 * time.Second)
	if d.group.Outage() {
		t.Error("it is still taken to be us")
	}
}

// The fourth canary is asked soon enough for those who wait for 10 s, and an
// outage exposes no more than the first three canaries for 8 s, and four for
// 20 s.
func TestCanarySchedule(t *testing.T) {
	d := settled(t)
	at := d.since()
	d.set(silent, d.everyone()...)
	d.run(20 * time.Second)
	canaries := d.entries(policy.Canary, at)
	if len(canaries) != 4 {
		t.Fatalf("want 4 canaries in 20 s, got %d\n%s", len(canaries), d.story(at))
	}
	for n, after := range []time.Duration{0, 2 * time.Second, 4 * time.Second, 7 * time.Second} {
		d.within("canary", canaries[n].at-canaries[0].at, after, after)
	}
	d.within("the first canary", canaries[0].at-at, 900*time.Millisecond, 1600*time.Millisecond)
	d.run(10 * time.Minute)
	if n := len(d.entries(policy.Canary, at)); n > 7 {
		t.Errorf("%d canaries in 10 minutes", n)
	}
}

// A router at home rejects everything while its uplink is gone: nothing is dead.
func TestRejectedByOurOwnRouter(t *testing.T) {
	d := settled(t)
	at := d.since()
	d.set(rejects, d.everyone()...)
	d.run(20 * time.Second)
	if dead := d.in(policy.Dead); len(dead) > 0 {
		t.Errorf("dead: %v\n%s", dead, d.story(at))
	}
	if !d.group.Outage() {
		t.Errorf("not taken to be us\n%s", d.story(at))
	}
	d.set(alive, d.everyone()...)
	d.run(3 * time.Second)
	if n := len(d.in(policy.Active)); n != 8 {
		t.Errorf("want 8 active after the return, got %d\n%s", n, d.story(at))
	}
}

// One endpoint is rejected while others answer: it is dead within a few round
// trips.
func TestRejectedOnTheWay(t *testing.T) {
	d := settled(t)
	i := d.in(policy.Active)[0]
	at := d.since()
	d.set(rejects, i)
	d.see(i, policy.Connect, policy.Rejected)
	d.run(time.Second)
	dead := d.reached(i, policy.Dead, at)
	d.within("verdict", dead.at-at, 0, 5*roundTrip)
	if dead.Cause != policy.Rejected {
		t.Errorf("want rejected, got %s", dead.Cause)
	}
}
