package policy_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// start is when every trace begins.
var start = time.Date(2018, 4, 16, 17, 0, 0, 0, time.UTC)

// How long the endpoints of a trace take.
const (
	roundTrip = 40 * time.Millisecond
	silence   = time.Second // after which a probe gives up
	overdue   = 250 * time.Millisecond
)

// answer is how an endpoint of a trace answers an examination: the greeting,
// the transfer, and after how long.
type answer struct {
	greeting, carried policy.Outcome
	took              time.Duration
}

// The behaviours of endpoints.
var (
	alive   = answer{policy.Answered, policy.Answered, 2 * roundTrip}
	bare    = answer{policy.Answered, policy.None, 2 * roundTrip} // no probe target is known to work
	silent  = answer{policy.Silent, policy.None, silence}
	resets  = answer{policy.Reset, policy.None, roundTrip}
	rejects = answer{policy.Rejected, policy.None, roundTrip}
	garbage = answer{policy.Garbage, policy.None, roundTrip}
	denied  = answer{policy.Denied, policy.None, roundTrip}
	frozen  = answer{policy.Answered, policy.Stalled, 2 * time.Second}
	refuses = answer{policy.Answered, policy.Refused, 2 * roundTrip}
	mute    = answer{policy.Answered, policy.Silent, 2 * time.Second}
	unseen  = answer{policy.None, policy.None, 0}
	ownHost = answer{policy.Local, policy.None, 0}
)

// entry is one action and when it came.
type entry struct {
	at time.Duration
	policy.Action
}

// task is what a trace does at a time of its own.
type task struct {
	at time.Time
	do func()
}

// driver is a world in virtual time around one group: it carries out what the
// group asks for, and writes down what it tells. After each step it holds the
// group against what must always be true.
type driver struct {
	*testing.T
	group     *policy.Group
	limits    policy.Limits
	now       time.Time
	next      time.Time // when the group wants to be called
	behaviour []answer
	tasks     []task
	log       []entry
	states    []policy.State
	canaries  map[int]bool
	thorough  map[int]bool      // whether that was one of an endpoint in doubt
	running   map[int]time.Time // when the latest examination began, if it runs
	calmed    time.Time         // when it last ceased to be in question if anybody answers
	asking    bool
	looks     int             // calls of Advance
	control   bool            // the control outside of the pool answers
	nearness  time.Duration   // how much shorter its round trip is
	lag       time.Duration   // between what Advance was given and a prober's first packet
	consulted []time.Duration // when it was asked
	// outside is how endpoints that do not answer fare when others ask for them;
	// those that are not in it are not seen.
	outside map[int]policy.Outcome
}

// newDriver makes a group with n endpoints in 4 prefixes of 2 providers, all of
// them alive, and gives it its first look.
func newDriver(t *testing.T, n int, l policy.Limits, seed uint64) *driver {
	t.Helper()
	g, err := policy.NewGroup(l, seed)
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{
		T: t, group: g, limits: l, now: start, canaries: make(map[int]bool), running: make(map[int]time.Time),
		thorough: make(map[int]bool), outside: make(map[int]policy.Outcome),
	}
	for i := range n {
		d.add(spec(i))
	}
	d.advance()
	return d
}

var prefixes = []string{"52.58", "52.59", "34.90", "34.91"}

// spec describes endpoint i: its prefix and provider follow from the number.
func spec(i int) policy.Spec {
	addr := netip.MustParseAddr(fmt.Sprintf("%s.4.%d", prefixes[i%4], 1+i/4))
	return policy.Spec{Host: addr.String(), Port: 1080, Addr: addr, Provider: []string{"aws", "gcp"}[i%4/2]}
}

func (d *driver) add(s policy.Spec) int {
	i := d.group.Add(s, d.now)
	d.behaviour = append(d.behaviour, alive)
	d.states = append(d.states, policy.Reserve)
	return i
}

// restore adds a retired endpoint again.
func (d *driver) restore(i int, s policy.Spec) {
	d.group.Restore(i, s, d.now)
	d.running[i] = time.Time{} // what still runs is no concern of it
	d.canaries[i] = false
}

// set gives endpoints a behaviour from now on.
func (d *driver) set(a answer, endpoints ...int) {
	for _, i := range endpoints {
		d.behaviour[i] = a
	}
}

func (d *driver) after(pause time.Duration, do func()) {
	d.tasks = append(d.tasks, task{d.now.Add(pause), do})
}

// run lets time pass.
func (d *driver) run(span time.Duration) {
	d.Helper()
	end := d.now.Add(span)
	d.advance()
	for {
		due := end
		if !d.next.IsZero() && d.next.Before(due) {
			due = d.next
		}
		first := -1
		for n, task := range d.tasks {
			if !task.at.After(due) && (first < 0 || task.at.Before(d.tasks[first].at)) {
				first = n
			}
		}
		switch {
		case first >= 0:
			task := d.tasks[first]
			d.tasks = slices.Delete(d.tasks, first, first+1)
			d.now = later(d.now, task.at)
			task.do()
		case d.next.IsZero() || d.next.After(end):
			d.now = end
			return
		default:
			d.now = later(d.now, d.next)
		}
		d.advance()
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// advance gives the group one look and does what it says.
func (d *driver) advance() {
	d.Helper()
	if d.asking && !d.group.Questioned() {
		d.calmed = d.now
	}
	actions, next := d.group.Advance(d.now)
	d.asking = d.group.Questioned()
	d.looks++
	if !next.IsZero() && !next.After(d.now) {
		d.Fatalf("%s: Advance wants to be called again at %s, which is not in the future", d.since(), next.Sub(start))
	}
	d.next = next
	if slices.ContainsFunc(actions, func(a policy.Action) bool { return a.Outside }) {
		d.consult()
	}
	for _, a := range actions {
		d.log = append(d.log, entry{d.since(), a})
		d.act(a)
	}
	d.check()
}

func (d *driver) since() time.Duration { return d.now.Sub(start) }

func (d *driver) act(a policy.Action) {
	d.Helper()
	switch a.Kind {
	case policy.Transition:
		if d.states[a.Endpoint] != a.From {
			d.Fatalf("%s: endpoint %d goes from %s, but is %s", d.since(), a.Endpoint, a.From, d.states[a.Endpoint])
		}
		if a.From != a.To && !possible(a.From, a.To) {
			d.Fatalf("%s: endpoint %d cannot go from %s to %s", d.since(), a.Endpoint, a.From, a.To)
		}
		d.states[a.Endpoint] = a.To
	case policy.Canary:
		if s := d.group.Record(a.Endpoint).State; s != policy.Reserve {
			d.Fatalf("%s: canary %d is %s", d.since(), a.Endpoint, s)
		}
		d.canaries[a.Endpoint] = true
	case policy.Examine:
		d.examine(a)
	default: // to be told, not to be done
	}
}

// possible says whether any event leads from one state to the other.
func possible(from, to policy.State) bool {
	for e := range policy.Events {
		if s, err := policy.Next(from, e); err == nil && s == to {
			return true
		}
	}
	return false
}

// examine answers an examination and its controls as the endpoints behave at
// this moment. As in the pool, controls count only if the endpoint is silent.
func (d *driver) examine(a policy.Action) {
	d.Helper()
	i := a.Endpoint
	switch s := d.group.Record(i).State; {
	case d.running[i].After(d.calmed) && !a.Outside && (d.thorough[i] || !a.Doubtful):
		// Only what was asked while nobody answered may be asked anew, and what
		// is to be asked at the same instant as the control, or more thoroughly.
		d.Fatalf("%s: endpoint %d is examined twice at once", d.since(), i)
	case s == policy.Retired, s == policy.Reserve && !d.canaries[i]:
		d.Fatalf("%s: endpoint %d is examined, but %s", d.since(), i, s)
	}
	d.running[i], d.thorough[i] = d.now, len(a.Controls) > 0 || a.Outside
	x := d.answer(i, a.Depth)
	x.Size = a.Size
	if o, ok := d.outside[i]; ok && x.Greeting != policy.Answered && len(a.Views) > 0 {
		x.Views = append(x.Views, policy.View{Through: "another", Asked: d.now, At: x.At, Control: policy.Answered, Suspect: o})
	}
	end := x.At
	var controls []policy.Control
	if a.Outside && x.Greeting.NeedsWitness() {
		control := policy.Control{Endpoint: policy.Outside, Examination: policy.Examination{Greeting: policy.Silent}}
		if d.control {
			control.Examination.Greeting = policy.Answered
		}
		controls = append(controls, control)
	}
	for _, c := range a.Controls {
		if s := d.group.Record(c).State; s != policy.Active {
			d.Fatalf("%s: control %d is %s", d.since(), c, s)
		}
		control := policy.Control{Endpoint: c, Examination: d.answer(c, policy.Greet)}
		if x.Greeting.NeedsWitness() {
			end = later(end, control.Examination.At)
		} else {
			control.Examination.Greeting = policy.None // cancelled
		}
		controls = append(controls, control)
	}
	d.after(end.Sub(d.now), func() {
		if d.running[i].Equal(x.Asked) {
			d.running[i] = time.Time{}
		}
		x.Asked = x.Asked.Add(d.lag)
		d.group.Examined(i, x, controls)
	})
}

// consult asks the control, whose answer comes after its round trip.
func (d *driver) consult() {
	d.Helper()
	if d.limits.Controls == 0 {
		d.Fatalf("%s: there is no control to ask", d.since())
	}
	if n := len(d.consulted); n > 0 && d.since() == d.consulted[n-1] {
		return
	}
	d.consulted = append(d.consulted, d.since())
	if asked := d.now; d.control {
		d.after(roundTrip-d.nearness, func() { d.group.ControlAnswered(asked) })
	}
}

func (d *driver) answer(i int, depth policy.Depth) policy.Examination {
	b := d.behaviour[i]
	x := policy.Examination{Asked: d.now, At: d.now.Add(b.took), Depth: depth, Greeting: b.greeting, Phase: policy.Greeting}
	switch {
	case b.greeting == policy.Silent:
		x.Phase = policy.Connect
	case b.greeting == policy.Answered:
		x.RTT = roundTrip
		if depth == policy.Greet {
			x.At = d.now.Add(2 * roundTrip)
			break
		}
		x.Down.Outcome, x.Down.Bytes = b.carried, 64<<10
		if b.carried == policy.Stalled {
			x.Down = policy.Passage{Outcome: policy.Stalled, Bytes: 15 << 10, Flows: 2, Stopped: 2}
			x.Up = x.Down
		}
		if b.carried == policy.Refused {
			x.Down.Reply = 4
		}
	}
	return x
}

// dial is what a relay reports of a new connection through endpoint i: an answer
// after two round trips, or that it is overdue.
func (d *driver) dial(i int) {
	asked := d.now
	if d.behaviour[i].greeting == policy.Answered {
		d.after(2*roundTrip, func() { d.group.Answered(i, asked, d.now) })
		return
	}
	d.after(overdue, func() {
		d.group.Observe(i, policy.Evidence{Phase: policy.Connect, Outcome: policy.Overdue, Asked: asked, At: d.now})
	})
}

// see reports evidence that is seen now, asked a moment ago.
func (d *driver) see(i int, phase policy.Phase, outcome policy.Outcome, change ...func(*policy.Evidence)) {
	ev := policy.Evidence{Phase: phase, Outcome: outcome, Asked: d.now.Add(-roundTrip), At: d.now}
	for _, f := range change {
		f(&ev)
	}
	d.group.Observe(i, ev)
	d.advance()
}

func elsewhere(ev *policy.Evidence) { ev.Elsewhere = true }

// traffic has every endpoint in a slot dialled, again and again.
func (d *driver) traffic(every time.Duration) {
	for _, i := range d.group.Slots() {
		if i >= 0 {
			d.dial(i)
		}
	}
	d.after(every, func() { d.traffic(every) })
}
