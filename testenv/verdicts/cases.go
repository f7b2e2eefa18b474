package verdicts

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Cases is the table.
func Cases() []Case {
	return slices.Concat(well(), blocked(), frozen(), throttled(), broken(), neither(), many())
}

// The bounds on the time to a verdict.
const (
	quickly = 3 * time.Second
	soon    = 5 * time.Second
)

// blocked has what keeps an endpoint's address from being reached.
func blocked() []Case {
	drop, dropped := blocker.Drop(), as(policy.Blocked, policy.Silent)
	return []Case{
		{Truth: "drop", Family: Blocked, Events: rule(One, drop), Right: dropped, Within: quickly},
		{Truth: "reset", Family: Blocked, Events: rule(One, blocker.Reset()), Right: as(policy.Blocked, policy.Reset), Within: quickly},
		{Truth: "reject", Family: Blocked, Events: rule(One, blocker.Reject()), Right: as(policy.Blocked, policy.Rejected), Within: quickly},
		{Truth: "drop, up only", Family: Blocked, Events: oneWay(blocker.Up), Right: dropped, Within: quickly},
		{Truth: "drop, down only", Family: Blocked, Events: oneWay(blocker.Down), Right: dropped, Within: quickly},
		{Truth: "drop, IPv6 only", Family: Blocked, Events: rule(One, drop), Right: dropped, Within: quickly, Setting: Setting{V6: true}},
		{Truth: "drop, foreign endpoints", Family: Blocked, Events: rule(One, drop), Right: dropped, Within: quickly, Setting: Setting{Foreign: true}},
		{Truth: "drop, one of two", Family: Blocked, Events: rule(One, drop), Right: dropped, Setting: Setting{Endpoints: 2}},
		{Truth: "drop, relay restarted", Family: Blocked, Events: rule(One, drop), Right: dropped, Setting: Setting{Restart: true}},
		{
			Truth: "drop, unblocked again", Family: Blocked, Right: dropped, Within: quickly,
			Events: append(rule(One, drop), Event{After: 2 * time.Minute, Lift: true}),
			Rest:   4 * time.Minute, Back: alive,
		},
		residual(time.Minute), residual(3 * time.Minute), residual(10 * time.Minute),
		{
			Truth: "drop, the only endpoint", Family: Blocked, Events: rule(One, drop), Setting: Setting{Endpoints: 1},
			Undecidable: true, Right: []Answer{{Us: true}},
		},
		{
			Truth: "reset, the only endpoint", Family: Blocked, Events: rule(One, blocker.Reset()), Setting: Setting{Endpoints: 1},
			Undecidable: true, Right: []Answer{{Us: true}},
		},
	}
}

// residual is a block that one forbidden word has brought about, and that each
// attempt within the window renews. Who waits a window is free again, and is to
// be back half a minute later.
func residual(window time.Duration) Case {
	const word = "forbidden.lab"
	return Case{
		Truth: fmt.Sprintf("residual %.0f s", window.Seconds()), Family: Blocked,
		Events: []Event{{
			Whom: One, Rule: &blocker.Rule{When: blocker.When{Names: []string{word}}, Do: blocker.Drop().Lingering(window).Renewing()},
			Host: func(s *Scene, h *testenv.Host) error { return s.say(h, word) },
		}},
		Setting: Setting{Light: true}, Right: as(policy.Blocked, policy.Silent),
		Rest: 2*window + 400*time.Second, Back: alive, Window: window,
	}
}

// Who needs more than the usual mix to meet a freeze.
var (
	bigObjects = []Object{{Down: 2 << 10, Weight: 2}, {Down: 160 << 10, Weight: 2}, {Down: 512 << 10, Weight: 1}}
	letters    = []Object{{Down: 2 << 10, Weight: 2}, {Up: 96 << 10, Weight: 2}}
)

// frozen has flows that begin well, and stop.
func frozen() (cases []Case) {
	for _, f := range []struct {
		name    string
		do      blocker.Action
		bytes   int64
		objects []Object
	}{
		{"freeze 8 KiB", blocker.Freeze(8 << 10), 8 << 10, nil},
		{"freeze 16 KiB", blocker.Freeze(16 << 10), 16 << 10, nil},
		{"freeze 24 KiB", blocker.Freeze(24 << 10), 24 << 10, nil},
		{"freeze 48 KiB", blocker.Freeze(48 << 10), 48 << 10, nil},
		{"freeze 96 KiB", blocker.Freeze(96 << 10), 96 << 10, bigObjects},
		{"freeze 256 KiB", blocker.Freeze(256 << 10), 256 << 10, bigObjects},
		{"freeze 16 KiB, down", blocker.Freeze(16 << 10).Counting(blocker.Down), 16 << 10, nil},
		{"freeze 16 KiB, up", blocker.Freeze(16 << 10).Counting(blocker.Up), 16 << 10, letters},
		{"freeze 48 KiB, up", blocker.Freeze(48 << 10).Counting(blocker.Up), 48 << 10, letters},
		{"freeze 25 packets", blocker.FreezePackets(25), 0, nil},
	} {
		cases = append(cases, Case{
			Truth: f.name, Family: Frozen, Events: rule(One, f.do), Bytes: f.bytes, Way: way(f.name),
			Right: as(policy.Frozen), Within: soon, Setting: Setting{Objects: f.objects},
		})
	}
	return append(cases, Case{
		// Only what asks for one name through this endpoint stops: a probe, which
		// asks for another, sees nothing of it, and to ask for what clients ask for is
		// not its business. So it takes as many of their flows as a verdict does, and
		// at light traffic one such flow comes in a minute: within 10 s the truth is
		// out of reach, and within a minute where there is much traffic only.
		Truth: "freeze 16 KiB, one name", Family: Frozen, Right: as(policy.Frozen), Bytes: 16 << 10,
		Events: []Event{{Whom: One, Rule: &blocker.Rule{
			When: blocker.When{Names: []string{otherSite}}, Do: blocker.Freeze(16 << 10),
		}}},
		Setting: Setting{Objects: twoSites},
	})
}

// way is the direction that a case's name ends with, if it does.
func way(name string) string {
	_, last, _ := strings.Cut(name, ", ")
	return last
}

// twoSites is the usual mix at two destinations.
var twoSites = []Object{
	{Down: 2 << 10, Weight: 3},
	{Down: 64 << 10, Weight: 2},
	{Down: 2 << 10, Weight: 2, Site: otherSite},
	{Down: 64 << 10, Weight: 3, Site: otherSite},
}

// throttled has what slows flows down.
func throttled() (cases []Case) {
	for _, p := range []struct {
		name string
		rate float64 // bytes a second
	}{
		{"police 16 kbit/s", 2000}, {"police 64 kbit/s", 8000}, {"police 256 kbit/s", 32000},
	} {
		cases = append(cases, Case{
			Truth: p.name, Family: Slowed, Events: rule(One, blocker.Police(p.rate)), Right: as(policy.Throttled),
			// Below a quarter of what loss and delay allow is throttled; else the path
			// explains it.
			Explained: func(d Draw) bool { return p.rate >= d.allows()/4 },
		})
	}
	return cases
}

// broken has what is wrong with the endpoint itself.
func broken() []Case {
	down, wrong, dead := as(policy.Down), as(policy.Misconfigured), as(policy.NoEgress)
	return []Case{
		{Truth: "process dead", Family: Broken, Events: host(stop), Right: down, Within: quickly},
		{Truth: "process hangs", Family: Broken, Events: host(hang), Right: down},
		{Truth: "host dead", Family: Broken, Events: host(vanish), Right: down, Within: quickly},
		{Truth: "no egress", Family: Broken, Events: host(noEgress), Right: dead},
		{Truth: "no egress, in silence", Family: Broken, Events: host(mute), Right: dead},
		{Truth: "grants, then closes", Family: Broken, Events: host(granting(testenv.GrantAndClose)), Right: dead},
		{Truth: "wrong password", Family: Broken, Events: host(serving(testenv.AnotherPassword("relay", "changed"))), Right: wrong},
		{Truth: "not a SOCKS server", Family: Broken, Events: host(serving(testenv.NotSocks)), Right: wrong},
		{Truth: "tarpit", Family: Broken, Events: host(serving(testenv.Tarpit)), Right: append(as(policy.Down), wrong...)},
		{Truth: "endless banner", Family: Broken, Events: host(serving(testenv.EndlessBanner)), Right: wrong},
	}
}

// many has what befalls several endpoints, or several relays.
func many() []Case {
	drop, dropped := blocker.Drop(), as(policy.Blocked, policy.Silent)
	crowd := Setting{Endpoints: 16, Active: 16, Crowd: 8}
	return []Case{
		{Truth: "one of a prefix", Family: Many, Events: rule(One, drop), Right: dropped, Setting: crowd, Within: quickly},
		{Truth: "two processes of a prefix", Family: Many, Events: []Event{{Whom: Pair, Host: stop}}, Right: as(policy.Down), Setting: crowd, Within: quickly},
		{Truth: "whole prefix", Family: Many, Events: rule(Neighbours, drop), Right: dropped, Setting: crowd},
		{Truth: "provider's outage", Family: Many, Events: []Event{{Whom: Provider, Host: vanish}}, Right: as(policy.Down)},
		{
			Truth: "blocked at 3 ISPs of 4", Family: Many, Right: dropped, Setting: Setting{Vantages: 4, Endpoints: 8},
			Events: []Event{{Whom: One, Vantages: 3, Rule: &blocker.Rule{Do: drop}}},
		},
	}
}
