package policy_test

import (
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

func TestRoutine(t *testing.T) {
	tests := []struct {
		name  string
		setUp func(d *driver)
		most  time.Duration // between two greetings
		least time.Duration
		carry time.Duration
	}{
		{"idle", func(*driver) {}, time.Minute, 45 * time.Second, 31 * time.Minute},
		{"in use, silent streams", func(d *driver) {
			var use func()
			use = func() {
				for i := range d.group.Len() {
					d.group.Use(i, d.now)
				}
				d.after(time.Second, use)
			}
			use()
		}, 10 * time.Second, 7 * time.Second, 5*time.Minute + 11*time.Second},
		{"answering all the time", func(d *driver) { d.traffic(time.Second) }, 5*time.Minute + 11*time.Second, 4 * time.Minute, 5*time.Minute + 11*time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t, 2, policy.Limits{}, 3)
			tt.setUp(d)
			d.run(3 * time.Minute)
			at := d.since()
			last, carried := []time.Duration{0, 0}, []time.Duration{0, 0}
			d.run(3 * time.Hour)
			for _, e := range d.entries(policy.Examine, at) {
				i := e.Endpoint
				if last[i] > 0 {
					d.within("pause between greetings", e.at-last[i], tt.least, tt.most+time.Second)
				}
				last[i] = e.at
				if e.Depth == policy.Carry {
					if carried[i] > 0 {
						d.within("pause between transfers", e.at-carried[i], 4*time.Minute, tt.carry+10*time.Second)
					}
					carried[i] = e.at
				}
			}
			if carried[0] == 0 || carried[1] == 0 {
				t.Error("no transfer in three hours")
			}
			if n := len(d.entries(policy.Transition, at)); n > 0 {
				t.Errorf("%d transitions", n)
			}
		})
	}
}

// An idle endpoint that a client comes to is looked after within ProbeEvery, not
// only when the idle look was planned.
func TestIdleEndpointComesIntoUse(t *testing.T) {
	for pause := range 12 {
		d := newDriver(t, 1, policy.Limits{}, 1)
		d.run(5*time.Minute + time.Duration(pause)*5*time.Second)
		at := d.since()
		d.group.Answered(0, d.now, d.now)
		d.advance()
		d.run(2 * time.Minute)
		d.within("first look", d.entries(policy.Examine, at)[0].at-at, 0, 10*time.Second)
	}
}
