package policy_test

import (
	"fmt"
	"slices"
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
	asked := d.now
	d.see(i, policy.Connect, policy.Silent)
	d.group.Answered(i, asked.Add(-time.Second), d.now)
	if s := d.group.Record(i).State; s != policy.Suspect {
		t.Errorf("an answer to an earlier question: want suspect, got %s", s)
	}
	d.group.Answered(i, asked.Add(time.Millisecond), d.now)
	if r := d.group.Record(i); r.State != policy.Active || r.Slot != 0 {
		t.Errorf("an answer to a later question: want active in slot 0, got %s in %d", r.State, r.Slot)
	}
	// Silence after a question that is older than the latest answer is none.
	d.group.Observe(i, policy.Evidence{Phase: policy.Connect, Outcome: policy.Silent, Asked: asked, At: d.now})
	if s := d.group.Record(i).State; s != policy.Active {
		t.Errorf("stale silence: want active, got %s", s)
	}
}

// A reset, or wrong bytes, need no witness: here nobody else is there.
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
			d := newDriver(t, 1, policy.Limits{}, 1)
			d.run(time.Second)
			d.set(tt.b, 0)
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
		{25 * time.Second, policy.Suspect},
		{30 * time.Minute, policy.Suspect}, // long ago: the next is muted for 30 s
		{35 * time.Second, policy.Suspect},
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
			jitter := make(map[time.Duration]bool)
			retests := 0
			for _, e := range d.entries(policy.Examine, dead.at) {
				if e.Endpoint != 0 {
					continue
				}
				pause := e.at - last
				if retests > 0 {
					pause -= b.took
				}
				d.within(fmt.Sprintf("pause before retest %d", retests), pause, want*8/10-time.Millisecond, want)
				jitter[pause*1000/want] = true
				last, want = e.at, min(2*want, 10*time.Minute)
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

// Where nothing can be examined, traffic alone speaks, and nobody is locked out
// for good.
func TestWithoutExaminations(t *testing.T) {
	d := newDriver(t, 4, policy.Limits{}, 1)
	d.set(unseen, 0, 1, 2, 3)
	d.run(time.Second)
	d.see(0, policy.Connect, policy.Silent)
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
	if s := d.group.Record(1).State; s != policy.Dead {
		t.Errorf("two stalls: want dead, got %s", s)
	}
	d.run(11 * time.Minute)
	if s := d.group.Record(1).State; s != policy.Active {
		t.Errorf("later: want another chance, got %s", s)
	}
	if d.looks > 2000 {
		t.Errorf("%d looks in 12 minutes", d.looks)
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
	if story(1) != story(1) {
		t.Error("equal seeds, different decisions")
	}
	if story(1) == story(2) {
		t.Error("different seeds, equal decisions")
	}
}
