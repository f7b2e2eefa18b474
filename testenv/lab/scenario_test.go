package lab_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/lab"
)

// TestApril2018 holds the scenario against the totals that were published.
func TestApril2018(t *testing.T) {
	s := lab.April2018()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	if n := s.Endpoints(); n < 24 {
		t.Errorf("%d endpoints, want a few dozen", n)
	}
	var list *blocker.PrefixSet
	at := func(day, hour int) uint64 {
		date := time.Date(2018, 4, day, hour, 0, 0, 0, time.FixedZone("MSK", 3*60*60))
		for len(s.Acts) > 0 && !s.Acts[0].At.After(date) {
			list = list.With(s.Acts[0].List...).Without(s.Acts[0].Strike...)
			s.Acts = s.Acts[1:]
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

func TestScenarioValidate(t *testing.T) {
	for name, spoil := range map[string]func(*lab.Scenario){
		"no clock": func(s *lab.Scenario) { s.Clock = nil },
		"no ISP":   func(s *lab.Scenario) { s.ISPs = nil },
		"no cloud": func(s *lab.Scenario) { s.Clouds, s.Acts = nil, nil },
		"twice":    func(s *lab.Scenario) { s.Clouds = append(s.Clouds, s.Clouds[0]) },
		"order":    func(s *lab.Scenario) { s.Acts[0].At = s.Acts[len(s.Acts)-1].At.Add(time.Hour) },
		"stranger": func(s *lab.Scenario) { s.Acts[0].Push = []lab.Push{{Cloud: "no", Endpoints: 1}} },
		"homeless": func(s *lab.Scenario) { s.Clouds[0].Tenants[0].Prefix = netip.MustParsePrefix("9.0.0.0/8") },
	} {
		s := lab.April2018()
		spoil(&s)
		if s.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
