package verdicts_test

import (
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv/verdicts"
)

func TestLabels(t *testing.T) {
	for _, test := range []struct {
		row    pool.Row
		outage bool
		want   verdicts.Label
	}{
		{pool.Row{State: policy.Active, Verdict: policy.Alive}, false, verdicts.LabelAlive},
		{pool.Row{State: policy.Active}, false, verdicts.LabelUnknown},
		{pool.Row{State: policy.Suspect, Verdict: policy.Frozen}, false, verdicts.LabelSuspect},
		{pool.Row{State: policy.Dead, Verdict: policy.Blocked, Cause: policy.Silent}, false, verdicts.LabelDropped},
		{pool.Row{State: policy.Dead, Verdict: policy.Blocked, Cause: policy.Reset}, false, verdicts.LabelReset},
		{pool.Row{State: policy.Dead, Verdict: policy.Blocked, Cause: policy.Rejected}, false, verdicts.LabelRejected},
		{pool.Row{State: policy.Dead, Verdict: policy.Frozen}, false, verdicts.LabelFrozen},
		{pool.Row{State: policy.Dead, Verdict: policy.Throttled}, false, verdicts.LabelThrottled},
		{pool.Row{State: policy.Dead, Verdict: policy.Down}, false, verdicts.LabelDown},
		{pool.Row{State: policy.Dead, Verdict: policy.NoEgress}, false, verdicts.LabelNoEgress},
		{pool.Row{State: policy.Dead, Verdict: policy.Misconfigured}, false, verdicts.LabelMisconfig},
		{pool.Row{State: policy.Dead}, false, verdicts.LabelUnknown},
		// Whoever is condemned while our own network is taken to be down is
		// condemned all the same; whoever is not has no verdict of his own.
		{pool.Row{State: policy.Suspect}, true, verdicts.LabelUs},
		{pool.Row{State: policy.Active, Verdict: policy.Alive}, true, verdicts.LabelUs},
		{pool.Row{State: policy.Dead, Verdict: policy.Down}, true, verdicts.LabelDown},
	} {
		o := verdicts.OpinionOf(&test.row)
		o.Outage = test.outage
		if got := o.Label(); got != test.want {
			t.Errorf("%s, %s, outage %t: %s, want %s", test.row.State, test.row.Verdict, test.outage, got, test.want)
		}
	}
}

func TestWhatIsRight(t *testing.T) {
	dead := func(v policy.Verdict, cause policy.Outcome, why string) pool.Row {
		return pool.Row{State: policy.Dead, Verdict: v, Cause: cause, Why: why}
	}
	for _, test := range []struct {
		truth string
		row   pool.Row
		draw  verdicts.Draw
		want  bool
	}{
		{truth: "drop", row: dead(policy.Blocked, policy.Silent, ""), want: true},
		{truth: "drop", row: dead(policy.Blocked, policy.Reset, "")},
		{truth: "drop", row: dead(policy.Down, policy.Silent, "")},
		{truth: "drop", row: dead(policy.Unknown, policy.Silent, "")},
		{truth: "drop", row: pool.Row{State: policy.Suspect, Verdict: policy.Blocked, Cause: policy.Silent}},
		{truth: "alive", row: pool.Row{State: policy.Active, Verdict: policy.Alive}, want: true},
		{truth: "alive", row: pool.Row{State: policy.Suspect, Verdict: policy.Alive}},
		// A place that is named must be about right; none need be named.
		{truth: "freeze 48 KiB", row: dead(policy.Frozen, policy.Stalled, ""), want: true},
		{truth: "freeze 48 KiB", row: dead(policy.Frozen, policy.Stalled, "flows down stop at about 46.5 KiB"), want: true},
		{truth: "freeze 48 KiB", row: dead(policy.Frozen, policy.Stalled, "flows down stop at about 16 KiB")},
		{truth: "freeze 48 KiB", row: dead(policy.Frozen, policy.Stalled, "flows down stop at about 1.2 MiB")},
		{truth: "freeze 8 KiB", row: dead(policy.Frozen, policy.Stalled, "flows down stop at about 11.9 KiB"), want: true},
		// A direction that is named must be right, where only one is meant.
		{truth: "freeze 16 KiB, up", row: dead(policy.Frozen, policy.Stalled, "flows stop at about 15 KiB up (5 did)"), want: true},
		{truth: "freeze 16 KiB, up", row: dead(policy.Frozen, policy.Stalled, "flows stop at about 15 KiB down (5 did)")},
		{truth: "freeze 16 KiB", row: dead(policy.Frozen, policy.Stalled, "flows stop at about 15 KiB up (5 did)"), want: true},
		// What cannot be decided must not be.
		{truth: "reset, the only endpoint", row: dead(policy.Unknown, policy.Reset, ""), want: true},
		{truth: "reset, the only endpoint", row: pool.Row{State: policy.Suspect}, want: true},
		{truth: "reset, the only endpoint", row: dead(policy.Blocked, policy.Reset, "")},
		{truth: "reset, the only endpoint", row: dead(policy.Down, policy.Reset, "")},
		// 256 kbit/s are 32 kB/s. At 20 ms loss of 5 % allows 400 kB/s, at 300 ms 27.
		{truth: "police 256 kbit/s", row: dead(policy.Throttled, policy.Slowed, ""), draw: verdicts.Draw{Loss: .05, RTT: 300 * time.Millisecond}, want: true},
		{truth: "police 256 kbit/s", row: pool.Row{State: policy.Active, Verdict: policy.Alive}, draw: verdicts.Draw{Loss: .05, RTT: 300 * time.Millisecond}, want: true},
		{truth: "police 256 kbit/s", row: pool.Row{State: policy.Active, Verdict: policy.Alive}, draw: verdicts.Draw{Loss: .05, RTT: 20 * time.Millisecond}},
	} {
		c := find(t, test.truth)
		if got := c.Accepts(verdicts.OpinionOf(&test.row), test.draw); got != test.want {
			t.Errorf("%s: %s, %s, %q: right %t, want %t", test.truth, test.row.State, test.row.Verdict, test.row.Why, got, test.want)
		}
	}
}

func find(t *testing.T, truth string) verdicts.Case {
	t.Helper()
	for _, c := range verdicts.Cases() {
		if c.Truth == truth {
			return c
		}
	}
	t.Fatalf("there is no case %q", truth)
	return verdicts.Case{}
}
