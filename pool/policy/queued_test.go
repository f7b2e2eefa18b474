package policy_test

import (
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// slowly has every endpoint in use but some answer clients, each time after took,
// for as long as it lasts.
func (d *driver) slowly(took, lasts time.Duration, but int) {
	end := d.now.Add(lasts)
	var next func()
	next = func() {
		for _, j := range d.group.Slots() {
			if j >= 0 && j != but {
				d.group.Answered(j, d.now.Add(-took), d.now)
			}
		}
		if d.now.Before(end) {
			d.after(time.Second, next)
		}
	}
	next()
}

// While a queue on our own line makes everybody late, who is late is not suspected,
// and who is silent for some seconds is not dead.
func TestAllAreSlow(t *testing.T) {
	d := settled(t)
	i := d.group.Slots()[2]
	d.slowly(1500*time.Millisecond, 20*time.Second, i)
	d.run(2 * time.Second)
	at := d.since()
	d.set(silent, i)
	for range 6 {
		d.see(i, policy.Greeting, policy.Overdue, func(ev *policy.Evidence) { ev.Asked = d.now.Add(-time.Second) })
		d.run(time.Second)
	}
	d.nobodyDies(at)
	for _, e := range d.entries(policy.Transition, at) {
		if e.Endpoint == i {
			t.Errorf("%s: %s -> %s: %s", e.at-at, e.From, e.To, e.Why)
		}
	}
	// When the queue is gone, it is alone with its silence.
	d.run(30 * time.Second)
	d.see(i, policy.Greeting, policy.Silent)
	d.run(10 * time.Second)
	if s := d.group.Record(i).State; s != policy.Dead {
		t.Errorf("silent for long while others answered at once, it is %s", s)
	}
}

// That one other is slow is no queue.
func TestOneOtherIsSlow(t *testing.T) {
	d := settled(t)
	i, j := d.group.Slots()[2], d.group.Slots()[3]
	at := d.since()
	d.set(silent, i)
	for range 3 {
		d.group.Answered(j, d.now.Add(-2*time.Second), d.now)
		d.see(i, policy.Connect, policy.Silent, func(ev *policy.Evidence) { ev.Asked = d.now.Add(-time.Second) })
		d.run(2 * time.Second)
	}
	d.reached(i, policy.Dead, at)
}

// What is called overdue before an answer can be there is none.
func TestLongWayIsNotLate(t *testing.T) {
	d := settled(t)
	i := d.group.Slots()[2]
	d.group.Examined(i, policy.Examination{
		Asked: d.now, At: d.now, Greeting: policy.Answered, RTT: 1800 * time.Millisecond, Tries: 3,
	}, nil)
	at := d.since()
	for range 5 {
		d.see(i, policy.Greeting, policy.Silent, func(ev *policy.Evidence) { ev.Asked = d.now.Add(-1200 * time.Millisecond) })
		d.see(i, policy.Greeting, policy.Overdue, func(ev *policy.Evidence) { ev.Asked = d.now.Add(-3 * time.Second) })
		d.run(10 * time.Second)
	}
	for _, e := range d.entries(policy.Transition, at) {
		t.Errorf("%s: %s -> %s: %s", e.at-at, e.From, e.To, e.Why)
	}
}
