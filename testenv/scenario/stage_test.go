package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// parsed is a scenario of a test's own.
func parsed(t *testing.T, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const manyThings = `
title: Many things
begins: 2025-06-02 05:00
lasts: 2d
clouds:
  - name: amazon
    prefixes: [52.58.0.0/15]
    launch-delay: 30s
    price-per-hour: 0.5
    endpoints: [{count: 3, in: 52.58.4.0/24}, {count: 1, in: 52.59.0.0/16}]
    tenants: [{name: cash desks, in: 52.58.4.0/24, weight: 9}]
isps:
  - {name: mts, latency: 5ms}
  - name: regional
    lag: 2h
    apply: reset
    rules:
      - {when: {ports: [1080], daily: 22:00-06:00}, do: {police: 64kbit/s}}
rules:
  - {when: {prefixes: [52.59.0.0/16], from: +3h, until: 2025-06-02 09:30}, do: reject, note: a note}
destinations: [{name: telegram.lab}]
registry:
  - {at: +4h, block: [52.58.4.0/24], do: freeze:16KiB}
  - {at: +8h, unblock: [52.58.4.0/24]}
  - {at: +12h, block: [52.58.0.0/15]}
  - {at: +14h, unblock: [52.58.0.0/15]}
events:
  - {at: +1h, stop: [{cloud: amazon, count: 1}], hang: [{cloud: amazon, count: 2}], for: 30m}
  - {at: +2h, launch: [{cloud: amazon, count: 2}]}
  - {at: +15h, retire: [{cloud: amazon, count: 2}]}
  - {at: +16h, evict: [{cloud: amazon, notice: 1h}]}
`

// TestActs holds what happens, when, and what comes of it; at a speed at which an
// hour takes a minute.
func TestActs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := testenv.New(testenv.Config{Backend: testenv.Memory})
		stage, err := parsed(t, manyThings).Build(w, scenario.Options{Speed: 60})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		stage.Around = func(a scenario.Act, do func() scenario.Deed) {
			d := do()
			what := "strategy"
			switch {
			case a.Rule != nil:
				what = fmt.Sprintf("rule at %q", a.ISP)
			case a.Entry != nil:
				what = "registry"
			case a.Event != nil:
				what = "event"
			case a.Eviction != nil:
				what = "eviction"
			}
			if a.Over {
				what += " over"
			}
			for _, n := range []struct {
				name  string
				count int
			}{
				{"listed", len(d.Listed)},
				{"struck", len(d.Struck)},
				{"launched", len(d.Launched)},
				{"retired", len(d.Retired)},
				{"released", len(d.Released)},
				{"stopped", len(d.Stopped)},
				{"started", len(d.Started)},
			} {
				if n.count > 0 {
					what += fmt.Sprintf(", %d %s", n.count, n.name)
				}
			}
			if now := stage.Date(time.Now()); now.Sub(a.At).Abs() > time.Microsecond {
				t.Errorf("%s: of %v happens at %v", what, a.At, now)
			}
			got = append(got, a.At.Format("02 15:04 ")+what)
		}
		if err := stage.Play(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(stage.Began); d != 48*time.Minute {
			t.Errorf("played for %v, want a minute for each hour", d)
		}
		want := strings.Split(strings.TrimSpace(`
02 05:00 rule at "regional"
02 06:00 rule at "regional" over
02 06:00 event, 3 stopped
02 06:30 event over, 3 started
02 07:00 event, 2 launched
02 08:00 rule at ""
02 09:00 registry, 1 listed
02 09:30 rule at "" over
02 13:00 registry, 1 struck
02 17:00 registry, 1 listed
02 19:00 registry, 1 struck
02 20:00 event, 2 retired
02 21:00 event
02 22:00 rule at "regional"
02 22:00 eviction, 6 released
03 06:00 rule at "regional" over
03 22:00 rule at "regional"
`), "\n")
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		// Four endpoints for 17 hours, two for 15, at half a dollar.
		if l := w.Ledger(); l.Spent < 48.99 || l.Spent > 49.01 {
			t.Errorf("%.3f spent", l.Spent)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

// What a stage enters at each ISP, with its lag, in its own way and until it is
// struck off.
func TestListsAndLags(t *testing.T) {
	played(t, parsed(t, manyThings), 60, func(c *scene) {
		listed := c.in("52.58.4.0/24")
		for _, step := range []struct {
			date          string
			mts, regional uint64
		}{
			{"2025-06-02 08:59", 1 << 16, 1 << 16},
			{"2025-06-02 09:01", 1<<16 + 1<<8, 1 << 16},
			{"2025-06-02 10:30", 1 << 8, 0},
			{"2025-06-02 11:01", 1 << 8, 1 << 8},
			{"2025-06-02 13:01", 0, 1 << 8},
			{"2025-06-02 15:01", 0, 0},
			{"2025-06-02 17:01", 1 << 17, 0},
			{"2025-06-02 19:01", 0, 1 << 17},
			{"2025-06-02 21:01", 0, 0},
		} {
			c.until(step.date)
			l := c.stage.World.Ledger()
			if l.AddressesAt["mts"] != step.mts || l.AddressesAt["regional"] != step.regional {
				c.Errorf("%s: blocked %v", step.date, l.AddressesAt)
			}
			if step.date == "2025-06-02 10:30" {
				c.passes("mts", listed, "telegram.lab", false)
				c.passes("regional", listed, "telegram.lab", true)
			}
		}
	})
}

// A strategy sees flows and widens.
func TestEscalationPlayed(t *testing.T) {
	s := parsed(t, head+`
destinations: [{name: telegram.lab}]
events: [{at: +0s, launch: [{cloud: amazon, count: 3, in: 52.58.4.0/24}]}]
strategy:
  every: 10m
  escalation: {look: socks, levels: [{hits: 3, bits: 24}], budget: 1000, for: 5h}
`)
	played(t, s, 1, func(c *scene) {
		c.until("2025-06-02 05:01")
		all := c.stage.Endpoints()
		for _, h := range all {
			c.passes("mts", h, "telegram.lab", true)
		}
		for date, want := range map[string]uint64{"2025-06-02 05:11": 256} {
			c.until(date)
			if n := c.stage.World.Ledger().Addresses; n != want {
				c.Errorf("%s: %d addresses listed, want %d", date, n, want)
			}
			c.passes("mts", all[0], "telegram.lab", false)
		}
		c.until("2025-06-02 11:00")
		c.passes("mts", all[0], "telegram.lab", true)
	})
}

// The end of the context ends a play, whatever is to come.
func TestPlayIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := testenv.New(testenv.Config{Backend: testenv.Memory})
		stage, err := builtin(t, "gfw-bridges").Build(w, scenario.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := stage.Play(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestBuildErrors(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"agents":    {head + "agents: {count: 1}\n", errors.ErrUnsupported},
		"no room":   {strings.Replace(head, "52.58.0.0/15]", "52.58.0.0/32]\n    endpoints: [{count: 2}]", 1), testenv.ErrNoAddress},
		"no tenant": {strings.Replace(head, "52.58.0.0/15]", "52.58.0.0/32]\n    tenants: [{name: a}, {name: b}]", 1), testenv.ErrNoAddress},
	} {
		w := testenv.New(testenv.Config{Backend: testenv.Memory})
		if _, err := parsed(t, c.text).Build(w, scenario.Options{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}
