package policy_test

import (
	"fmt"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// check holds the group against what must always be true.
func (d *driver) check() {
	d.Helper()
	held := make(map[int]bool)
	for s, i := range d.group.Slots() {
		if i < 0 {
			continue
		}
		r := d.group.Record(i)
		if r.Slot != s || held[i] {
			d.Fatalf("%s: slot %d is held by %d, which believes to hold %d", d.since(), s, i, r.Slot)
		}
		if r.State != policy.Active && r.State != policy.Suspect {
			d.Fatalf("%s: slot %d is held by %d, which is %s", d.since(), s, i, r.State)
		}
		held[i] = true
	}
	for i := range d.group.Len() {
		r := d.group.Record(i)
		switch {
		case r.Slot >= 0 && !held[i]:
			d.Fatalf("%s: endpoint %d believes to hold slot %d", d.since(), i, r.Slot)
		case r.State == policy.Active && r.Slot < 0:
			d.Fatalf("%s: endpoint %d is active without a slot", d.since(), i)
		case r.State != policy.Reserve && r.State != policy.Retired && !r.Exposed:
			d.Fatalf("%s: endpoint %d is %s, but not exposed", d.since(), i, r.State)
		}
	}
}

// entries are the actions of a kind since a time.
func (d *driver) entries(kind policy.ActionKind, since time.Duration) []entry {
	var es []entry
	for _, e := range d.log {
		if e.Kind == kind && e.at >= since {
			es = append(es, e)
		}
	}
	return es
}

// reached is when endpoint i first came to a state after since; the test fails
// if it did not.
func (d *driver) reached(i int, s policy.State, since time.Duration) entry {
	d.Helper()
	for _, e := range d.entries(policy.Transition, since) {
		if e.Endpoint == i && e.To == s && e.From != s {
			return e
		}
	}
	d.Fatalf("endpoint %d has not become %s since %s:\n%s", i, s, since, d.story(since))
	return entry{}
}

// story is the log for people.
func (d *driver) story(since time.Duration) string {
	var s string
	for _, e := range d.log {
		if e.at < since {
			continue
		}
		switch e.Kind {
		case policy.Transition:
			s += fmt.Sprintf("%8s %2d %s -> %s (%s, %s)\n", e.at, e.Endpoint, e.From, e.To, e.Verdict, e.Why)
		case policy.Examine:
			s += fmt.Sprintf("%8s %2d examine: %s, beside %v\n", e.at, e.Endpoint, e.Depth, e.Controls)
		default:
			s += fmt.Sprintf("%8s %2d %s\n", e.at, e.Endpoint, []string{"", "", "outage began", "outage ended", "canary"}[e.Kind])
		}
	}
	return s
}

// in lists the endpoints in a state.
func (d *driver) in(s policy.State) []int {
	var is []int
	for i := range d.group.Len() {
		if d.group.Record(i).State == s {
			is = append(is, i)
		}
	}
	return is
}

// within fails the test unless a time lies in a range.
func (d *driver) within(what string, got, least, most time.Duration) {
	d.Helper()
	if got < least || got > most {
		d.Errorf("%s: want %s to %s, got %s\n%s", what, least, most, got, d.story(max(0, got-5*time.Second)))
	}
}
