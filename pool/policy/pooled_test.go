package policy_test

import (
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// One endpoint whose way loses much says nothing of the ways of the others.
func TestOneLossyEndpoint(t *testing.T) {
	d := settled(t)
	slots := d.group.Slots()
	note := func(i, failures int) {
		d.group.Examined(i, policy.Examination{
			Asked: d.now, At: d.now, Greeting: policy.Answered, RTT: roundTrip, Tries: 8, Failures: failures,
		}, nil)
	}
	for range 10 {
		for n, i := range slots[:6] {
			failures := 0
			if n == 0 {
				failures = 6
			}
			note(i, failures)
		}
		d.run(time.Second)
	}
	at := d.since()
	for _, i := range slots[6:] {
		d.see(i, policy.Connect, policy.Overdue)
	}
	for _, e := range d.entries(policy.Examine, at) {
		if e.Endpoint == slots[6] && e.Loss > .03 {
			t.Errorf("of one of which nothing is known a loss of %.3f is assumed", e.Loss)
		}
	}
}

// Refusals of one destination after the other, which nobody contradicts, are looked
// into, unless the endpoint grants one.
func TestRefusalsThatStand(t *testing.T) {
	looks := func(t *testing.T, between func(d *driver, i int)) (n int) {
		t.Helper()
		d := settled(t)
		d.run(time.Minute)
		i := d.group.Slots()[2]
		at := d.since()
		for k := range uint64(3) {
			d.see(i, policy.Request, policy.Refused, func(ev *policy.Evidence) { ev.Reply, ev.Destination = 4, 1+k })
			d.see(i, policy.Request, policy.Refused, func(ev *policy.Evidence) { ev.Reply, ev.Destination = 4, 1+k })
			between(d, i)
		}
		for _, e := range d.entries(policy.Examine, at) {
			if e.Endpoint == i && e.Depth == policy.Carry && len(e.Egress) > 0 {
				n++
			}
		}
		if s := d.group.Record(i).State; s != policy.Active {
			t.Errorf("it is %s", s)
		}
		return n
	}
	if n := looks(t, func(*driver, int) {}); n != 1 {
		t.Errorf("after 3 destinations: %d looks, want 1", n)
	}
	if n := looks(t, func(d *driver, i int) { d.group.Granted(i, d.now) }); n != 0 {
		t.Errorf("with grants between them: %d looks, want none", n)
	}
}

// A computer that slept: dials of before end in silence at its wake, all examinations
// too, and the network takes some seconds to come back. Nobody is dead, and everybody
// serves again at once.
func TestSleep(t *testing.T) {
	for _, slept := range []time.Duration{30 * time.Second, time.Hour, 12 * time.Hour} {
		t.Run(slept.String(), func(t *testing.T) {
			d := newDriver(t, 16, policy.Limits{}, 1)
			d.traffic(500 * time.Millisecond)
			d.run(20 * time.Second)
			slots := append([]int(nil), d.group.Slots()...)
			at := d.since()
			before := d.now
			d.now = d.now.Add(slept) // nothing runs meanwhile, and timers are late
			d.set(silent, d.everyone()...)
			for _, i := range slots {
				d.group.Observe(i, policy.Evidence{Phase: policy.Connect, Outcome: policy.Silent, Asked: before, At: d.now})
				d.group.Observe(i, policy.Evidence{Phase: policy.Transfer, Outcome: policy.Silent, Asked: before, At: d.now, Bytes: 9 << 10, Destination: 7})
			}
			d.run(4 * time.Second)
			d.set(alive, d.everyone()...)
			d.run(3 * time.Second)
			d.nobodyDies(at)
			for _, i := range slots {
				if s := d.group.Record(i).State; s != policy.Active {
					t.Errorf("endpoint %d is %s 3 s after the network's return\n%s", i, s, d.story(at))
					break
				}
			}
		})
	}
}

// A clock that is set back does not keep the dead from being retested, nor trouble
// from being seen, for longer than it was set back.
func TestClockSetBack(t *testing.T) {
	const back = 2 * time.Minute
	d := settled(t)
	i := d.group.Slots()[2]
	d.now, d.next = d.now.Add(-back), d.now.Add(-back)
	d.run(back + 20*time.Second)
	at := d.since()
	d.set(silent, i)
	d.run(20 * time.Second)
	d.reached(i, policy.Dead, at)
	d.set(alive, i)
	d.run(5 * time.Minute)
	if s := d.group.Record(i).State; s == policy.Dead {
		t.Errorf("it is still %s", s)
	}
}
