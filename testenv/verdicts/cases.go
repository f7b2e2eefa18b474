package verdicts

import (
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Cases is the table.
func Cases() []Case {
	return slices.Concat(well(), blocked(), frozen(), broken(), ours())
}

// The bounds on the time to a verdict.
const (
	quickly = 3 * time.Second
	soon    = 5 * time.Second
)

func well() []Case {
	return []Case{
		{Truth: "alive", Family: Well, Right: alive},
	}
}

func blocked() []Case {
	return []Case{
		{Truth: "drop", Family: Blocked, Events: rule(One, blocker.Drop()), Right: as(policy.Blocked, policy.Silent), Within: quickly},
		{Truth: "reset", Family: Blocked, Events: rule(One, blocker.Reset()), Right: as(policy.Blocked, policy.Reset), Within: quickly},
		{Truth: "reject", Family: Blocked, Events: rule(One, blocker.Reject()), Right: as(policy.Blocked, policy.Rejected), Within: quickly},
	}
}

func frozen() []Case {
	return []Case{
		{Truth: "freeze 16 KiB", Family: Frozen, Events: rule(One, blocker.Freeze(16<<10)), Right: as(policy.Frozen), Bytes: 16 << 10, Within: soon},
	}
}

func broken() []Case {
	return []Case{
		{Truth: "process dead", Family: Broken, Events: host(One, stop), Right: as(policy.Down), Within: quickly},
		{Truth: "host dead", Family: Broken, Events: host(One, vanish), Right: as(policy.Down), Within: quickly},
	}
}

func ours() []Case {
	return []Case{
		{
			Truth: "our network down", Family: Ours, Right: []Answer{{Us: true}}, Later: alive,
			Events: []Event{
				{World: func(s *Scene) error { s.ISPs[0].Cut(); return nil }},
				{After: 30 * time.Second, World: func(s *Scene) error { s.ISPs[0].Restore(); return nil }},
			},
		},
	}
}

// rule is one event: a rule about some endpoints, for good.
func rule(w Whom, do blocker.Action) []Event {
	return []Event{{Whom: w, Rule: &blocker.Rule{Do: do}}}
}

// host is one event: something is done to the machines of some endpoints.
func host(w Whom, do func(*testenv.Host) error) []Event { return []Event{{Whom: w, Host: do}} }

func stop(h *testenv.Host) error   { h.Stop(); return nil }
func vanish(h *testenv.Host) error { h.Vanish(); return nil }

// as is a verdict with any of the causes; without any it may be any.
func as(v policy.Verdict, causes ...policy.Outcome) (answers []Answer) {
	if len(causes) == 0 {
		return []Answer{{Verdict: v}}
	}
	for _, c := range causes {
		answers = append(answers, Answer{Verdict: v, Cause: c})
	}
	return answers
}
