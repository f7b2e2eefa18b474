package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// settled is a group of 8 active and 8 in reserve with traffic, 20 s old.
func settled(t *testing.T) *driver {
	t.Helper()
	d := newDriver(t, 16, policy.Limits{}, 1)
	d.traffic(500 * time.Millisecond)
	d.run(20 * time.Second)
	if n := len(d.in(policy.Active)); n != 8 {
		t.Fatalf("want 8 active, got %d", n)
	}
	for _, i := range d.in(policy.Active) {
		if v := d.group.Record(i).Verdict; v != policy.Alive {
			t.Fatalf("endpoint %d is %s", i, v)
		}
	}
	return d
}

func TestStartSpreads(t *testing.T) {
	for seed := range uint64(20) {
		d := newDriver(t, 32, policy.Limits{}, seed)
		count := make(map[string]int)
		for _, i := range d.in(policy.Active) {
			s := spec(i)
			count[s.Provider]++
			count[policy.Neighbourhood(s.Addr).String()]++
		}
		for what, want := range map[string]int{
			"aws": 4, "gcp": 4, "52.58.0.0/16": 2, "52.59.0.0/16": 2, "34.90.0.0/16": 2, "34.91.0.0/16": 2,
		} {
			if count[what] != want {
				t.Errorf("seed %d: want %d active in %s, got %d", seed, want, what, count[what])
			}
		}
	}
}

func TestReserveIsLeftAlone(t *testing.T) {
	d := settled(t)
	d.run(time.Hour)
	for _, i := range d.in(policy.Reserve) {
		if d.group.Record(i).Exposed {
			t.Errorf("endpoint %d of the reserve was exposed", i)
		}
	}
	if n := len(d.in(policy.Reserve)); n != 8 {
		t.Errorf("want 8 in reserve, got %d", n)
	}
}

// One of eight falls silent: its first overdue answer has it examined, with two
// others as witnesses, and it is dead when the probe gives up.
func TestOneSilent(t *testing.T) {
	d := settled(t)
	lost := d.group.Slots()[3]
	d.set(silent, lost)
	at := d.since()
	d.run(5 * time.Second)
	dead := d.reached(lost, policy.Dead, at)
	first := d.entries(policy.Examine, at)[0]
	if first.Endpoint != lost || len(first.Controls) != 2 {
		t.Errorf("want %d examined first, beside two controls, got %d beside %v", lost, first.Endpoint, first.Controls)
	}
	d.within("from the first overdue answer to the verdict", dead.at-first.at, 0, silence+200*time.Millisecond)
	if dead.Cause != policy.Silent || dead.Verdict != policy.Unknown {
		t.Errorf("want unknown by silence, got %s by %s", dead.Verdict, dead.Cause)
	}
	heir := d.group.Slots()[3]
	if heir == lost || heir < 0 {
		t.Fatalf("slot 3 is held by %d", heir)
	}
	if up := d.reached(heir, policy.Active, at); up.at != dead.at {
		t.Errorf("the slot was free from %s to %s", dead.at, up.at)
	}
	if n := len(d.entries(policy.Canary, at)); n > 0 || len(d.in(policy.Dead)) != 1 {
		t.Errorf("%d canaries, dead: %v", n, d.in(policy.Dead))
	}
}

// The second overdue answer keeps new requests away, though the verdict is still
// to come.
func TestSecondOverdueSuspects(t *testing.T) {
	d := settled(t)
	lost := d.group.Slots()[0]
	d.set(silent, lost)
	d.see(lost, policy.Connect, policy.Overdue)
	if s := d.group.Record(lost).State; s != policy.Active {
		t.Errorf("after one overdue answer: want active, got %s", s)
	}
	d.see(lost, policy.Connect, policy.Overdue)
	if s := d.group.Record(lost).State; s != policy.Suspect {
		t.Errorf("after two: want suspect, got %s", s)
	}
}

// An answer to a later question dispels the doubt, one to an earlier does not.
func TestAnswerClears(t *testing.T) {
	d := settled(t)
	i := d.group.Slots()[0]
	asked := d.now.Add(-roundTrip)
	d.see(i, policy.Connect, policy.Reset)
	d.group.Answered(i, asked.Add(-time.Second), d.now)
	if s := d.group.Record(i).State; s != policy.Suspect {
		t.Errorf("an answer to an earlier question: want suspect, got %s", s)
	}
	d.group.Answered(i, asked.Add(time.Millisecond), d.now)
	if r := d.group.Record(i); r.State != policy.Active || r.Slot != 0 {
		t.Errorf("an answer to a later question: want active in slot 0, got %s in %d", r.State, r.Slot)
	}
	// Silence after a question that is older than the latest answer is none.
	d.group.Observe(i, policy.Evidence{Phase: policy.Connect, Outcome: policy.Silent, Asked: asked.Add(-silence), At: d.now})
	if s := d.group.Record(i).State; s != policy.Active {
		t.Errorf("stale silence: want active, got %s", s)
	}
}

// A reset, or a refusal, needs no witness: here nobody else is there. Nor do wrong
// bytes of one that has never answered.
func TestAnswersThatCondemn(t *testing.T) {
	tests := []struct {
		name    string
		b       answer
		verdict policy.Verdict
	}{
		{"reset", resets, policy.Unknown},
		{"garbage", garbage, policy.Misconfigured},
		{"denied", denied, policy.Misconfigured},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t, 0, policy.Limits{}, 1)
			d.add(spec(0))
			d.set(tt.b, 0)
			if tt.b != garbage {
				d.set(alive, 0)
				d.run(time.Second)
				d.set(tt.b, 0)
			}
			d.advance()
			at := d.since()
			d.see(0, policy.Greeting, tt.b.greeting)
			d.run(time.Second)
			dead := d.reached(0, policy.Dead, at)
			if dead.Verdict != tt.verdict || dead.Cause != tt.b.greeting {
				t.Errorf("want %s by %s, got %s by %s", tt.verdict, tt.b.greeting, dead.Verdict, dead.Cause)
			}
			d.within("verdict", dead.at-at, 0, 3*roundTrip)
		})
	}
}

// A captive portal has the same wrong answer for everybody: nobody is judged, and
// all is as before as soon as it lets us pass.
func TestCaptivePortal(t *testing.T) {
	for n := range 8 {
		n++
		d := newDriver(t, n+4, policy.Limits{Active: n}, 1)
		d.traffic(500 * time.Millisecond)
		d.run(10 * time.Second)
		active := d.in(policy.Active)
		at := d.since()
		for i := range n + 4 {
			d.set(garbage, i)
		}
		for _, i := range active {
			d.see(i, policy.Greeting, policy.Garbage)
		}
		d.run(time.Minute)
		for _, e := range d.entries(policy.Transition, at) {
			if e.To == policy.Dead {
				t.Errorf("of %d: %d is dead: %s", n, e.Endpoint, e.Why)
			}
		}
		if began := d.entries(policy.OutageBegan, at); len(began) != 1 || !strings.Contains(began[0].Why, "portal") {
			t.Errorf("of %d: want one outage, with its reason, got %v", n, began)
		}
		for i := range n + 4 {
			d.set(alive, i)
		}
		d.run(2 * time.Second)
		if got := len(d.in(policy.Active)); got != n {
			t.Errorf("of %d: %d are active after it", n, got)
		}
	}
}

// What our own host does wrong is no evidence, however often.
func TestLocalIsNoEvidence(t *testing.T) {
	d := newDriver(t, 4, policy.Limits{}, 1)
	d.run(time.Second)
	at := d.since()
	d.set(ownHost, 0, 1, 2, 3)
	for range 100 {
		d.see(0, policy.Connect, policy.Local)
		d.run(time.Second)
	}
	if es := d.entries(policy.Transition, at); len(es) > 0 {
		t.Errorf("something happened:\n%s", d.story(at))
	}
	d.set(alive, 0, 1, 2, 3)
	d.run(15 * time.Second)
	if len(d.in(policy.Active)) != 4 {
		t.Error("not all are active")
	}
}

func TestRetire(t *testing.T) {
	d := settled(t)
	gone := d.group.Slots()[5]
	d.group.Retire(gone, d.now)
	d.group.Retire(gone, d.now)
	d.advance()
	if s := d.group.Slots()[5]; s == gone || s < 0 {
		t.Errorf("slot 5 is held by %d", s)
	}
	d.group.Answered(gone, d.now, d.now)
	d.see(gone, policy.Connect, policy.Silent)
	d.run(time.Hour)
	if s := d.group.Record(gone).State; s != policy.Retired {
		t.Errorf("want retired, got %s", s)
	}
}

// An endpoint that comes back is a reserve like any other, of which it is known
// that it was exposed; not so if it comes back at another address.
func TestRestore(t *testing.T) {
	for _, moved := range []bool{false, true} {
		d := settled(t)
		gone := d.group.Slots()[5]
		d.group.Restore(gone, spec(gone), d.now)
		if s := d.group.Record(gone).State; s != policy.Active {
			t.Errorf("not retired, but restored: it is %s", s)
		}
		d.set(silent, gone)
		d.run(10 * time.Second)
		d.reached(gone, policy.Dead, 0)
		d.group.Retire(gone, d.now)
		d.advance()
		s := spec(gone)
		if moved {
			s = spec(400)
		}
		at := d.since()
		d.restore(gone, s)
		d.advance()
		r := d.group.Record(gone)
		if r.State != policy.Reserve || r.Slot != -1 || r.Verdict != policy.Unknown || r.Exposed == moved {
			t.Errorf("moved %t: want a reserve, got %+v", moved, r)
		}
		d.run(time.Hour)
		if r := d.group.Record(gone); r.State != policy.Reserve || r.Exposed == moved {
			t.Errorf("moved %t: want it left alone, got %s, exposed %t\n%s", moved, r.State, r.Exposed, d.story(at))
		}
		d.set(alive, gone)
		for _, i := range d.everyone() {
			if i != gone {
				d.group.Retire(i, d.now)
			}
		}
		d.run(time.Second)
		if r := d.group.Record(gone); r.State != policy.Active || r.Verdict != policy.Alive {
			t.Errorf("moved %t: want it in use, got %s, %s", moved, r.State, r.Verdict)
		}
	}
}

// An endpoint can be gone and back between two looks, with a routine look at it
// planned: what was planned is planned no more, and it is looked after anew.
func TestRestoreBetweenLooks(t *testing.T) {
	d := newDriver(t, 1, policy.Limits{Active: 1}, 1)
	d.run(20 * time.Second)
	for range 3 {
		d.group.Retire(0, d.now)
		d.restore(0, spec(0))
	}
	d.now = d.now.Add(time.Hour)
	d.advance()
	d.run(20 * time.Second)
	if r := d.group.Record(0); r.State != policy.Active || r.Verdict != policy.Alive {
		t.Errorf("want it in use, got %s, %s", r.State, r.Verdict)
	}
	looks := d.looks
	d.run(time.Hour)
	if n := d.looks - looks; n > 600 {
		t.Errorf("%d looks in an hour of peace", n)
	}
}

// Where nothing can be examined, traffic alone speaks, and nobody is locked out
// for good.
func TestWithoutExaminations(t *testing.T) {
	d := newDriver(t, 4, policy.Limits{}, 1)
	d.set(unseen, 0, 1, 2, 3)
	d.run(2 * time.Second)
	d.see(0, policy.Connect, policy.Silent, func(ev *policy.Evidence) { ev.Asked = d.now.Add(-silence) })
	d.run(10 * time.Second)
	if s := d.group.Record(0).State; s != policy.Suspect {
		t.Errorf("want suspect, got %s", s)
	}
	d.run(25 * time.Second)
	if s := d.group.Record(0).State; s != policy.Active {
		t.Errorf("want another chance, got %s", s)
	}
	d.see(1, policy.Transfer, policy.Stalled)
	d.run(time.Second)
	d.see(1, policy.Transfer, policy.Stalled)
	d.run(time.Second)
	if s := d.group.Record(1).State; s != policy.Suspect {
		t.Errorf("two stalls, which may be lulls: want suspect, got %s", s)
	}
	d.run(2 * time.Second)
	if s := d.group.Record(1).State; s != policy.Dead {
		t.Errorf("two stalls that last: want dead, got %s", s)
	}
	d.run(11 * time.Minute)
	if s := d.group.Record(1).State; s != policy.Active {
		t.Errorf("later: want another chance, got %s", s)
	}
	if d.looks > 2000 {
		t.Errorf("%d looks in 12 minutes", d.looks)
	}
}

// A flow that goes on was not frozen: with the last of them the doubt is gone, if
// it rests on nothing else.
func TestLullsEnd(t *testing.T) {
	for name, how := range map[string]answer{"not examined": unseen, "without a target": bare} {
		t.Run(name, func(t *testing.T) {
			d := newDriver(t, 4, policy.Limits{}, 1)
			d.run(10 * time.Second)
			d.set(how, 0)
			d.see(0, policy.Transfer, policy.Stalled)
			d.see(0, policy.Transfer, policy.Stalled)
			d.run(500 * time.Millisecond)
			if s := d.group.Record(0).State; s != policy.Suspect {
				t.Errorf("two stalls: want suspect, got %s", s)
			}
			d.see(0, policy.Transfer, policy.Resumed)
			if s := d.group.Record(0).State; s != policy.Suspect {
				t.Errorf("one of two goes on: want suspect, got %s", s)
			}
			d.set(alive, 0)
			d.see(0, policy.Transfer, policy.Resumed)
			if s := d.group.Record(0).State; s != policy.Active {
				t.Errorf("both go on: want active, got %s", s)
			}
			d.run(time.Second)
			d.see(0, policy.Transfer, policy.Stalled)
			d.run(time.Second)
			if s := d.group.Record(0).State; s != policy.Active {
				t.Errorf("a lull soon after: want active, got %s", s)
			}
		})
	}
}

// Equal seeds and equal inputs give equal decisions; another seed gives others.
func TestSeed(t *testing.T) {
	story := func(seed uint64) string {
		d := newDriver(t, 32, policy.Limits{}, seed)
		d.traffic(time.Second)
		d.run(30 * time.Second)
		d.set(silent, 0, 4, 8, 12)
		d.run(10 * time.Minute)
		return d.story(0)
	}
	if a, b := story(1), story(1); a != b {
		t.Error("equal seeds, different decisions")
	}
	if story(1) == story(2) {
		t.Error("different seeds, equal decisions")
	}
}
