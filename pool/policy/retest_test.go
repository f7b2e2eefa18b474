package policy_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// A wave takes one endpoint after the other, until one is left. It serves on.
func TestWave(t *testing.T) {
	d := newDriver(t, 8, policy.Limits{}, 1)
	d.traffic(500 * time.Millisecond)
	d.run(10 * time.Second)
	for lost := range 7 {
		d.set(silent, lost)
		at := d.since()
		d.run(5 * time.Second)
		dead := d.reached(lost, policy.Dead, at)
		d.within(fmt.Sprintf("loss %d", lost), dead.at-at, 0, 2*time.Second)
	}
	if got := d.in(policy.Active); !slices.Equal(got, []int{7}) {
		t.Errorf("want 7 active, got %v", got)
	}
	if n := len(d.entries(policy.OutageBegan, 0)); n > 0 {
		t.Errorf("%d outages", n)
	}
	// All come back.
	d.set(alive, 0, 1, 2, 3, 4, 5, 6)
	d.run(10 * time.Minute)
	if n := len(d.in(policy.Active)); n != 8 {
		t.Errorf("want 8 active again, got %d", n)
	}
}

func TestRetestBackoff(t *testing.T) {
	for _, b := range []answer{silent, resets, frozen, refuses, mute} {
		t.Run(b.greeting.String()+" "+b.carried.String(), func(t *testing.T) {
			d := newDriver(t, 4, policy.Limits{}, 7)
			d.run(time.Second)
			d.set(b, 0)
			d.see(0, policy.Transfer, policy.Stalled)
			d.run(2 * time.Hour)
			dead := d.reached(0, policy.Dead, 0)
			last, want := dead.at, 5*time.Second
			low, high := 80, 100 // percent
			if b == frozen {
				// Not before a block that each attempt renews has passed.
				want, low, high = time.Minute+10*time.Second, 100, 103
			}
			jitter := make(map[time.Duration]bool)
			retests := 0
			for _, e := range d.entries(policy.Examine, dead.at) {
				if e.Endpoint != 0 || e.at == dead.at {
					continue // the second look of what is blocked or down is none
				}
				pause := e.at - last
				if retests > 0 || dead.Verdict == policy.Unknown {
					pause -= b.took
				}
				d.within(fmt.Sprintf("pause before retest %d", retests), pause, want*time.Duration(low)/100-time.Millisecond, want*time.Duration(high)/100)
				jitter[pause*1000/want] = true
				last, want = e.at, min(2*want, 10*time.Minute)
				if b == frozen {
					want = 10*time.Second + []time.Duration{3 * time.Minute, 10 * time.Minute}[min(retests, 1)]
				}
				retests++
			}
			if retests < 12 || len(jitter) < retests/2 {
				t.Errorf("%d retests with %d different pauses", retests, len(jitter))
			}
			if len(d.entries(policy.Transition, dead.at+1)) > 0 {
				t.Errorf("the dead must lie still:\n%s", d.story(dead.at))
			}
		})
	}
}

// While nothing is active, waiting longer only locks the clients out.
func TestRetestsAreFrequentWhileNobodyIsActive(t *testing.T) {
	d := newDriver(t, 2, policy.Limits{}, 1)
	d.run(time.Second)
	d.set(resets, 0, 1)
	d.see(0, policy.Connect, policy.Reset)
	d.run(10 * time.Minute) // 1 serves until its routine look
	at := d.since()
	d.run(10 * time.Minute)
	last := []time.Duration{at, at}
	for _, e := range d.entries(policy.Examine, at) {
		d.within("pause", e.at-last[e.Endpoint], 0, 5*time.Second+roundTrip)
		last[e.Endpoint] = e.at
	}
	back := d.since()
	d.set(alive, 0, 1)
	d.run(6 * time.Second)
	d.within("return", d.reached(0, policy.Active, back).at-back, 0, 6*time.Second)
}

// With all slots taken, a dead endpoint that answers waits in probation, then
// goes to the reserve. A relapse in probation goes on with longer pauses.
func TestProbation(t *testing.T) {
	d := newDriver(t, 9, policy.Limits{}, 1)
	d.run(time.Second)
	lost := d.group.Slots()[0]
	d.set(resets, lost)
	d.see(lost, policy.Connect, policy.Reset)
	d.run(time.Second)
	d.set(alive, lost)
	d.run(time.Minute)
	up := d.reached(lost, policy.Probation, 0)
	back := d.reached(lost, policy.Reserve, up.at)
	d.within("probation", back.at-up.at, 5*time.Second, 6*time.Second)

	d = newDriver(t, 9, policy.Limits{}, 1)
	d.run(time.Second)
	lost = d.group.Slots()[0]
	d.set(resets, lost)
	d.see(lost, policy.Connect, policy.Reset)
	d.run(30 * time.Second) // pauses of 5, 10 s
	d.set(alive, lost)
	for d.group.Record(lost).State != policy.Probation {
		d.run(100 * time.Millisecond)
	}
	d.set(resets, lost)
	at := d.since()
	d.run(time.Minute)
	relapse := d.reached(lost, policy.Dead, at)
	for _, e := range d.entries(policy.Examine, relapse.at+1) {
		if e.Endpoint == lost {
			d.within("pause after a relapse", e.at-relapse.at, 30*time.Second, 40*time.Second)
			break
		}
	}
}

// The dead endpoint that a client tried in need, and that answered it, is back
// at once.
func TestClientsBringBackTheDead(t *testing.T) {
	d := newDriver(t, 2, policy.Limits{}, 1)
	d.run(time.Second)
	d.set(resets, 0)
	d.see(0, policy.Connect, policy.Reset)
	d.run(time.Second)
	d.set(alive, 0)
	d.run(time.Second)
	at := d.since()
	d.group.Answered(0, d.now, d.now)
	d.advance()
	d.run(time.Second)
	d.within("return", d.reached(0, policy.Active, at).at-at, 0, 200*time.Millisecond)
}

// An endpoint that refuses the credentials is told them once, and then seldom:
// whoever sends five wrong passwords in ten minutes is banned. That holds too if
// nothing is left to use, or if it was dead of something else before.
func TestDeniedIsAskedSeldom(t *testing.T) {
	for _, tc := range []struct {
		name   string
		n      int
		before answer
	}{
		{"one of eight", 8, alive}, {"the only one", 1, alive}, {"dead before", 8, silent},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDriver(t, tc.n, policy.Limits{}, 7)
			d.traffic(500 * time.Millisecond)
			d.run(time.Minute)
			i := d.group.Slots()[0]
			if tc.before.greeting != policy.Answered {
				d.outside[i] = policy.Refused
				d.set(tc.before, i)
				d.run(20 * time.Second)
			}
			d.set(denied, i)
			at := d.since()
			d.see(i, policy.Greeting, policy.Denied)
			d.run(2 * time.Hour)
			told, asked := 0, []time.Duration{}
			for _, e := range d.entries(policy.Examine, at) {
				if e.Endpoint == i {
					told++
					asked = append(asked, e.at-at)
				}
			}
			if r := d.group.Record(i); r.Verdict != policy.Misconfigured || r.State != policy.Dead {
				t.Errorf("it is %s, %s", r.State, r.Verdict)
			}
			if told < 3 || told > 5 {
				t.Errorf("it was asked %d times in 2 h, want 3 to 5: %v", told, asked)
			}
			for k := 1; k < len(asked); k++ {
				if pause := asked[k] - asked[k-1]; pause < 10*time.Minute {
					t.Errorf("asked again after %s", pause)
				}
			}
		})
	}
}

// Clients that ask for what is gone all day do not have an endpoint looked into all
// day.
func TestRefusalsOfTheDead(t *testing.T) {
	d := newDriver(t, 8, policy.Limits{}, 7)
	d.traffic(500 * time.Millisecond)
	d.run(time.Minute)
	i := d.group.Slots()[0]
	at := d.since()
	for n := range 600 {
		d.see(i, policy.Request, policy.Refused, func(ev *policy.Evidence) { ev.Destination = uint64(1000 + n) })
		d.run(time.Second)
	}
	looks := 0
	for _, e := range d.entries(policy.Examine, at) {
		if e.Endpoint == i && e.Depth == policy.Carry {
			looks++
		}
	}
	if looks == 0 || looks > 12 {
		t.Errorf("looked into %d times in 10 minutes", looks)
	}
}
