package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// falls has a client's flow through i be found on a silent path, which has answered
// others since.
func (d *driver) falls(i int, destination uint64, bytes int64) {
	d.see(i, policy.Transfer, policy.Silent, func(ev *policy.Evidence) {
		ev.Asked = d.now.Add(-time.Minute)
		ev.Bytes, ev.Destination = bytes, destination
	})
}

// nobodyDies fails if any endpoint was condemned since at.
func (d *driver) nobodyDies(at time.Duration) {
	d.Helper()
	for _, e := range d.entries(policy.Transition, at) {
		if e.To == policy.Dead {
			d.Errorf("%s: %d is dead: %s", e.at-at, e.Endpoint, e.Why)
		}
	}
}

// A browser opens six connections to one name at once, and all of them stop; so it
// is at the next endpoint, and the next.
func TestOneNameInBursts(t *testing.T) {
	t.Run("of eight", func(t *testing.T) {
		d := settled(t)
		at := d.since()
		for _, i := range d.group.Slots()[:4] {
			for range 6 {
				d.falls(i, 7, 15<<10)
			}
			d.run(1500 * time.Millisecond)
		}
		d.run(30 * time.Second)
		d.nobodyDies(at)
	})
	t.Run("of two", func(t *testing.T) {
		d := newDriver(t, 2, policy.Limits{Active: 2}, 1)
		d.traffic(500 * time.Millisecond)
		d.run(time.Minute)
		at := d.since()
		for range 6 {
			for i := range 2 {
				d.falls(i, 7, 15<<10)
				d.falls(i, 7, 15<<10)
			}
			d.run(2 * time.Second)
		}
		d.run(30 * time.Second)
		d.nobodyDies(at)
	})
}

// The retest of an endpoint looks for what it was condemned for: here for flows up
// that stop beyond what a routine look moves.
func TestRetestLooksForTheCause(t *testing.T) {
	d := settled(t)
	i := d.group.Slots()[2]
	d.set(frozen, i)
	at := d.since()
	d.see(i, policy.Transfer, policy.Stalled, func(ev *policy.Evidence) { ev.Bytes, ev.Sent = 4<<10, 100<<10 })
	d.run(10 * time.Second)
	dead := d.reached(i, policy.Dead, at)
	d.run(20 * time.Minute)
	retests := 0
	for _, e := range d.entries(policy.Examine, dead.at+time.Second) {
		if e.Endpoint != i {
			continue
		}
		retests++
		if e.Depth != policy.Carry || !e.Doubtful || e.OneWay {
			t.Errorf("retest at %s: depth %s, doubtful %v, one way %v", e.at-at, e.Depth, e.Doubtful, e.OneWay)
		}
	}
	if retests == 0 {
		t.Error("no retest")
	}
}

// Flows that fell silent for a moment, and whose clients left, are no evidence.
func TestDepartedFlows(t *testing.T) {
	d := newDriver(t, 8, policy.Limits{}, 1)
	for i := range 8 {
		d.set(bare, i)
	}
	d.traffic(500 * time.Millisecond)
	d.run(time.Minute)
	i := d.group.Slots()[2]
	at := d.since()
	for k := range uint64(4) {
		d.see(i, policy.Transfer, policy.Silent, func(ev *policy.Evidence) {
			ev.Asked, ev.At = d.now, d.now
			ev.Bytes, ev.Destination = 40<<10, 100+k
		})
		d.see(i, policy.Transfer, policy.Ended, func(ev *policy.Evidence) { ev.Destination = 100 + k })
	}
	d.run(20 * time.Second)
	lull := func(ev *policy.Evidence) { ev.Bytes, ev.Destination = 300<<10, 9 }
	d.see(i, policy.Transfer, policy.Stalled, lull)
	d.run(time.Second)
	d.see(i, policy.Transfer, policy.Resumed, lull)
	d.run(20 * time.Second)
	d.nobodyDies(at)
}

// One flow that stops, and whose path is found silent then, is one flow.
func TestOneFlowCountsOnce(t *testing.T) {
	d := newDriver(t, 8, policy.Limits{}, 1)
	for i := range 8 {
		d.set(bare, i)
	}
	d.traffic(500 * time.Millisecond)
	d.run(time.Minute)
	i := d.group.Slots()[2]
	at := d.since()
	d.see(i, policy.Transfer, policy.Stalled, func(ev *policy.Evidence) { ev.Bytes, ev.Destination = 30<<10, 9 })
	d.falls(i, 9, 30<<10)
	d.run(20 * time.Second)
	d.nobodyDies(at)
}

// What one long block taught is forgotten in time.
func TestWindowIsForgotten(t *testing.T) {
	d := settled(t)
	i, j := d.group.Slots()[2], d.group.Slots()[3]
	d.outside[i], d.outside[j] = policy.Answered, policy.Answered
	d.set(silent, i)
	d.run(6 * time.Minute)
	d.set(alive, i)
	d.run(24 * time.Hour)
	at := d.since()
	d.set(silent, j)
	d.run(30 * time.Second)
	d.set(alive, j)
	d.run(30 * time.Minute)
	dead := d.reached(j, policy.Dead, at)
	back := d.reached(j, policy.Probation, at)
	d.within("away", back.at-dead.at, time.Minute, 90*time.Second)
}

// What is blocked is left alone for its window also while nobody is active.
func TestBlockedIsLeftAlone(t *testing.T) {
	d := newDriver(t, 2, policy.Limits{Active: 2}, 1)
	d.traffic(time.Hour)
	d.run(time.Minute)
	d.outside[0] = policy.Answered
	d.set(silent, 0)
	d.run(30 * time.Second)
	d.set(resets, 1)
	d.see(1, policy.Connect, policy.Reset)
	at := d.since()
	d.run(5 * time.Minute)
	looks := 0
	for _, e := range d.entries(policy.Examine, at) {
		if e.Endpoint == 0 {
			looks++
		}
	}
	if v := d.group.Record(0).Verdict; v != policy.Blocked {
		t.Fatalf("want it blocked, got %s", v)
	}
	if looks == 0 || looks > 3 {
		t.Errorf("%d looks in 5 min, want 1 to 3", looks)
	}
}

// One dial that fails every 40 s, at an endpoint that answers every examination,
// does not send it back and forth.
func TestFailuresThatPass(t *testing.T) {
	d := settled(t)
	i := d.group.Slots()[2]
	at := d.since()
	for range 90 {
		d.see(i, policy.Connect, policy.Silent, func(ev *policy.Evidence) { ev.Asked, ev.At = d.now, d.now })
		d.run(40 * time.Second)
	}
	changes := 0
	for _, e := range d.entries(policy.Transition, at) {
		if e.Endpoint == i && e.From != e.To {
			changes++
		}
	}
	if changes > 30 {
		t.Errorf("%d changes of state in an hour, want at most 30", changes)
	}
}

// A proper answer through one outweighs wrong bytes through another.
func TestProperAnswerOutweighsGarbage(t *testing.T) {
	c := policy.Conclude(policy.Examination{
		Greeting: policy.Silent, Phase: policy.Connect, Tries: 5, Failures: 5,
		Views: []policy.View{
			{Through: "a", Control: policy.Answered, Suspect: policy.Garbage},
			{Through: "b", Control: policy.Answered, Suspect: policy.Answered},
		},
	})
	if c.Verdict != policy.Blocked || !strings.Contains(c.Why, "answers through") {
		t.Errorf("%s: %s", c, c.Why)
	}
}

// One client's slow flow and one examination are not enough for throttled.
func TestThrottledTakesTwoLooks(t *testing.T) {
	g, err := policy.NewGroup(policy.Limits{Active: 2}, 1)
	if err != nil {
		t.Fatal(err)
	}
	now := start
	for i := range 2 {
		g.Add(spec(i), now)
	}
	g.Advance(now)
	look := func(down policy.Passage, usual float64) {
		g.Examined(0, policy.Examination{
			Asked: now, At: now.Add(3 * time.Second), Depth: policy.Carry, Greeting: policy.Answered,
			RTT: roundTrip, Tries: 5, Size: 192 << 10, Down: down, Usual: usual,
		}, nil)
		now = now.Add(3 * time.Second)
		g.Advance(now)
	}
	look(policy.Passage{Outcome: policy.Answered, Bytes: 192 << 10, Rate: 1e6}, 0)
	g.Observe(0, policy.Evidence{Phase: policy.Transfer, Outcome: policy.Slowed, Asked: now, At: now, Destination: 1})
	g.Advance(now)
	slow := policy.Passage{Outcome: policy.Slowed, Bytes: 24 << 10, Rate: 8e3}
	look(slow, 200e3)
	if s := g.Record(0).State; s != policy.Suspect {
		t.Fatalf("after one look: %s", s)
	}
	look(slow, 200e3)
	if r := g.Record(0); r.State != policy.Dead || r.Verdict != policy.Throttled {
		t.Errorf("after two: %s, %s", r.State, r.Verdict)
	}
}
