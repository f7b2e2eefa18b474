package lab_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/lab"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// TestScenarios begins to play each of the built-in ones.
func TestScenarios(t *testing.T) {
	for _, name := range scenario.Names() {
		t.Run(name, func(t *testing.T) {
			s, err := scenario.Builtin(name)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var last lab.State
			report, err := (&lab.Lab{Scenario: s, Display: lab.DisplayFunc(func(s lab.State) {
				last = s
				if s.Elapsed > 2*time.Second {
					cancel()
				}
			})}).Run(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if !report.OK() || report.Requests == 0 || report.Directs > 0 || report.Title != s.Title {
				t.Errorf("%+v", report)
			}
			if last.Length != 2*time.Minute || last.Site != s.Destinations[0].Name || len(last.ISPs) != len(s.ISPs) || len(last.Pool) != len(s.Clouds) {
				t.Errorf("%+v", last)
			}
		})
	}
}

const allThings = `
title: All things
begins: 2025-06-02 05:00
lasts: 20h
clouds:
  - name: amazon
    prefixes: [52.58.0.0/15]
    price-per-hour: 0.5
    endpoints: [{count: 4, in: 52.58.4.0/24}]
    tenants: [{name: cash desks, in: 52.58.4.0/24, weight: 9}]
  - name: google
    prefixes: [35.192.0.0/12]
    endpoints: [{count: 4}]
isps:
  - name: mts
    clients: {count: 2, requests: 4/s, asks: [{to: mail.lab, size: 20KiB}]}
    rules:
      - {when: {ports: [25], daily: 08:00-09:00}, do: police:64kbit/s}
      - {when: {except-prefixes: [35.192.0.0/12, 52.58.0.0/15], from: +10h, until: +11h}, do: drop}
rules:
  - {when: {names: [a.example, b.example], from: +13h}, do: reset}
  - {when: {from: +14h, prefixes: [9.0.0.0/8]}, do: reject, note: a rule of its own words}
destinations: [{name: mail.lab}]
registry:
  - {at: +1h, block: [52.58.4.0/24, 9.9.9.0/24]}
  - {at: +3h, unblock: [52.58.4.0/24, 9.9.9.0/24], block: [8.0.0.0/8], do: reset}
  - {at: +9h, hunt: 9}
events:
  - {at: +2h, launch: [{cloud: amazon, count: 1, in: 52.58.4.0/24}, {cloud: google, count: 1}]}
  - {at: +5h, cut: [mts], for: 30m}
  - {at: +7h, stop: [{cloud: google, count: 1}], for: 1h, note: a stop of its own words}
  - {at: +8h30m, hang: [{cloud: google, count: 1}]}
  - {at: +15h, retire: [{cloud: google, count: 1}]}
  - {at: +16h, evict: [{cloud: amazon, notice: 1h}]}
  - {at: +18h, evict: [{cloud: google}]}
`

// TestWords holds what is said of each kind of act, and that what is nobody's
// blocking is no failure.
func TestWords(t *testing.T) {
	s, err := scenario.Parse("all.yaml", []byte(allThings))
	if err != nil {
		t.Fatal(err)
	}
	var last lab.State
	report, err := (&lab.Lab{Scenario: s, Length: lab.MinLength, Display: lab.DisplayFunc(func(s lab.State) { last = s })}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range last.Events {
		if !strings.HasPrefix(e.Text, "relay: ") {
			got = append(got, e.At.Format(e.Layout)+" "+e.Text)
		}
	}
	want := strings.Split(strings.TrimSpace(`
06:00:00 blocker lists 52.58.4.0/24 and 1 more
07:00:00 2 fresh endpoints, amazon and google, 1 born blocked
08:00:00 blocker at mts slows port 25
08:00:00 blocker resets 8.0.0.0/8; blocker strikes off 52.58.4.0/24 and 1 more
09:00:00 blocker at mts stops: port 25 passes again
10:00:00 the network of mts is down
10:30:00 the network of mts is back
12:00:00 a stop of its own words
13:00:00 1 endpoint started again
13:30:00 1 endpoint stopped
`), "\n")
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// How many endpoints a hunt finds is a matter of traffic.
	got = slices.DeleteFunc(got, func(line string) bool {
		return strings.Contains(line, " looks for ") || strings.Contains(line, " finds and ")
	})
	rest := strings.Split(strings.TrimSpace(`
15:00:00 blocker at mts drops all but 35.192.0.0/12 and 1 more
16:00:00 blocker at mts stops: everything passes again
18:00:00 blocker resets a.example and b.example
19:00:00 a rule of its own words
20:00:00 1 endpoint withdrawn
21:00:00 amazon asks the service to leave within 1h
22:00:00 amazon takes back 5 endpoints
23:00:00 google asks the service to leave at once
23:00:00 google takes back 5 endpoints
`), "\n")
	if tail := got[min(len(want), len(got)):]; !slices.Equal(tail, rest) {
		t.Errorf("then got\n%s\nwant\n%s", strings.Join(tail, "\n"), strings.Join(rest, "\n"))
	}
	if report.Failed > 0 || report.Spent < 10 {
		t.Errorf("%+v", report)
	}
	var out bytes.Buffer
	if _, err := report.WriteTo(&out); err != nil || !strings.Contains(out.String(), " USD spent on all\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
