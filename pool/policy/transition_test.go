package policy_test

import (
	"testing"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// TestNext holds every state against every event. What is not in the table must
// fail and leave the state as it is.
func TestNext(t *testing.T) {
	want := map[policy.State]map[policy.Event]policy.State{
		policy.Reserve: {
			policy.Needed: policy.Active, policy.Condemned: policy.Dead, policy.Removed: policy.Retired,
		},
		policy.Active: {
			policy.Doubted: policy.Suspect, policy.Removed: policy.Retired,
		},
		policy.Suspect: {
			policy.Cleared: policy.Active, policy.Benched: policy.Reserve, policy.Condemned: policy.Dead, policy.Removed: policy.Retired,
		},
		policy.Dead: {
			policy.Returned: policy.Probation, policy.Removed: policy.Retired,
		},
		policy.Probation: {
			policy.Needed: policy.Active, policy.Benched: policy.Reserve, policy.Condemned: policy.Dead, policy.Removed: policy.Retired,
		},
		policy.Retired: {
			policy.Restored: policy.Reserve,
		},
	}
	if len(want) != int(policy.States) {
		t.Fatalf("the table has %d states, the package %d", len(want), policy.States)
	}
	for from := range policy.States {
		for e := range policy.Events {
			to, err := policy.Next(from, e)
			expected, allowed := want[from][e]
			switch {
			case allowed && (err != nil || to != expected):
				t.Errorf("%s + %s: want %s, got %s, %v", from, e, expected, to, err)
			case !allowed && err == nil:
				t.Errorf("%s + %s: must fail, got %s", from, e, to)
			case !allowed && to != from:
				t.Errorf("%s + %s: a failed step must not move, got %s", from, e, to)
			}
		}
	}
}

// TestNames keeps users from seeing a number or a blank: each value has a name
// of its own.
func TestNames(t *testing.T) {
	check := func(kind string, names []string, beyond string) {
		t.Helper()
		seen := make(map[string]bool)
		for _, n := range names {
			if n == "" || n == beyond || seen[n] {
				t.Errorf("%s: %q is empty, the fallback, or twice there", kind, n)
			}
			seen[n] = true
		}
	}
	var states, events, verdicts, outcomes, phases []string
	for s := range policy.States {
		states = append(states, s.String())
	}
	for e := range policy.Events {
		events = append(events, e.String())
	}
	for v := policy.Unknown; v <= policy.Misconfigured; v++ {
		verdicts = append(verdicts, v.String())
	}
	for o := policy.None; o <= policy.Local; o++ {
		outcomes = append(outcomes, o.String())
	}
	for p := policy.Connect; p <= policy.Transfer; p++ {
		phases = append(phases, p.String())
	}
	check("state", states, policy.States.String())
	check("event", events, policy.Events.String())
	check("verdict", verdicts, (policy.Misconfigured + 1).String())
	check("outcome", outcomes, (policy.Local + 1).String())
	check("phase", phases, (policy.Transfer + 1).String())
}
