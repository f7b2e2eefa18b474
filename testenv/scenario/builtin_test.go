package scenario_test

import (
	"slices"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// builtin is a scenario that comes with the package.
func builtin(t *testing.T, name string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestApril2018 holds the scenario against the totals that were published.
func TestApril2018(t *testing.T) {
	s := builtin(t, "april-2018")
	endpoints := 0
	for _, c := range s.Clouds {
		for _, b := range c.Endpoints {
			endpoints += b.Count
		}
	}
	if endpoints < 24 {
		t.Errorf("%d endpoints, want a few dozen", endpoints)
	}
	if !slices.IsSortedFunc(s.Registry, func(a, b scenario.Entry) int { return a.At.Compare(b.At) }) {
		t.Error("the diary is not in the order of its dates")
	}
	acts := s.Registry
	var list *blocker.PrefixSet
	at := func(day, hour int) uint64 {
		date := time.Date(2018, 4, day, hour, 0, 0, 0, time.FixedZone("MSK", 3*60*60))
		for len(acts) > 0 && !acts[0].At.After(date) {
			list = list.With(acts[0].Block...).Without(acts[0].Unblock...)
			acts = acts[1:]
		}
		return list.Addresses()
	}
	for _, c := range []struct {
		day, hour int
		low, high uint64
		what      string
	}{
		{16, 12, 8_000, 10_000, "the service's own, about 9,000"},
		{16, 23, 655_360 + 8_000, 655_360 + 10_000, "655,360 of Amazon's"},
		{17, 2, 1_800_000, 1_900_000, "1.8 million"},
		{17, 5, 2_450_000, 2_550_000, "2.5 million"},
		{17, 17, 15_900_000, 16_400_000, "16 million"},
		{17, 21, 19_000_000, 20_000_000, "the peak, 19 to 20 million"},
		{17, 23, 15_900_000, 16_400_000, "back to 16 million"},
		{18, 23, 16_000_000, 16_500_000, "130,000 more"},
		{19, 12, 18_850_000, 18_950_000, "18.9 million"},
		{23, 0, 17_800_000, 18_000_000, "nearly 18 million"},
	} {
		if n := at(c.day, c.hour); n < c.low || n > c.high {
			t.Errorf("on %d April at %d:00 the list covers %d addresses, want %d to %d: %s",
				c.day, c.hour, n, c.low, c.high, c.what)
		}
	}
}
