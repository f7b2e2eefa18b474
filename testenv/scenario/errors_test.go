package scenario_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// head is a whole scenario, to which a test adds what is wrong.
const head = `title: T
begins: 2025-06-02 05:00
lasts: 2d
clouds:
  - name: amazon
    prefixes: [52.58.0.0/15]
isps:
  - name: mts
`

// TestErrors holds what each mistake is answered with: all of it, to the letter.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", `
x.yaml:1:1: is no scenario: that has keys, at least title, begins, lasts, clouds and isps`},
		{"a list", "- a\n", `
x.yaml:1:1: is no scenario: that has keys, at least title, begins, lasts, clouds and isps
   1 | - a
     | ^`},
		{"no YAML", "title: [T\n", `
x.yaml:1:8: not YAML: sequence end token ']' not found
   1 | title: [T
     |        ^`},
		{"two documents", "title: T\n---\ntitle: U\n", `
x.yaml:3:1: must be a single document: leave out the line with ---
   3 | title: U
     | ^`},
		{"bytes", "title: \xff\n", `
x.yaml:1:1: must be text in UTF-8, of at most 16 MiB`},
		{"what is needed", "title: T\n", `
x.yaml:1:1: needs "begins"
   1 | title: T
     | ^
x.yaml:1:1: needs "lasts"
   1 | title: T
     | ^
x.yaml:1:1: needs "clouds"
   1 | title: T
     | ^
x.yaml:1:1: needs "isps"
   1 | title: T
     | ^`},
		{"an unknown key, nearly known", head + "    lattency: 6ms\n", `
x.yaml:9:5: isps[0]: unknown key "lattency": is it "latency"?
   9 |     lattency: 6ms
     |     ^`},
		{"an unknown key", head + "pool:\n  size: 8\n", `
x.yaml:10:3: pool: unknown key "size": there is active and rotate-every
  10 |   size: 8
     |   ^`},
		{"a key twice", head + "    lag: 1h\n    lag: 2h\n", `
x.yaml:10:5: isps[0]: "lag" is here twice: the first is in line 9
  10 |     lag: 2h
     |     ^`},
		{"a merge key", head + "    <<: *x\n", `
x.yaml:9:5: isps[0]: << is no key here
   9 |     <<: *x
     |     ^`},
		{"no value", head + "    lag:\n", `
x.yaml:9:9: isps[0].lag: has no value: give it one, or leave it out
   9 |     lag:
     |         ^`},
		{"an unknown anchor", head + "    lag: *late\n", `
x.yaml:9:10: isps[0].lag: no &late comes before this
   9 |     lag: *late
     |          ^`},
		{"a tag", head + "    lag: !!str 1h\n", `
x.yaml:9:10: isps[0].lag: tags like !!str have no meaning here
   9 |     lag: !!str 1h
     |          ^`},
		{"a list for a word", head + "    lag: [1h]\n", `
x.yaml:9:10: isps[0].lag: must be a single value, not a list
   9 |     lag: [1h]
     |          ^`},
		{"a word for a list", head + "rules: none\n", `
x.yaml:9:8: rules: must be a list: write [none]
   9 | rules: none
     |        ^`},
		{"keys for a list", head + "rules: {do: drop}\n", `
x.yaml:9:8: rules: must be a list: put a dash before each
   9 | rules: {do: drop}
     |        ^`},
		{"a word for keys", head + "pool: 8\n", `
x.yaml:9:7: pool: must have keys of its own: active and rotate-every
   9 | pool: 8
     |       ^`},
		{"a duration", head + "    lag: soon\n    latency: 2m\n", `
x.yaml:9:10: isps[0].lag: must be a duration like 18ms, 30s, 2h30m or 36d, got "soon"
   9 |     lag: soon
     |          ^
x.yaml:10:14: isps[0].latency: must be at most 1m, got 2m
  10 |     latency: 2m
     |              ^`},
		{"a negative duration", head + "    lag: -1h\n", `
x.yaml:9:10: isps[0].lag: must be a duration like 18ms, 30s, 2h30m or 36d, got "-1h"
   9 |     lag: -1h
     |          ^`},
		{"a share", head + "    loss: 120%\n", `
x.yaml:9:11: isps[0].loss: must be from 0 to 1, or from 0% to 100%, got "120%"
   9 |     loss: 120%
     |           ^`},
		{"all is lost", head + "    loss: 1\n", `
x.yaml:9:11: isps[0].loss: must be less than 100%: to lose everything, cut the network
   9 |     loss: 1
     |           ^`},
		{"a number", head + "    users: many\n", `
x.yaml:9:12: isps[0].users: must be a whole number, not negative, got "many"
   9 |     users: many
     |            ^`},
		{"a range", head + "pool: {active: 257}\n", `
x.yaml:9:16: pool.active: must be from 0 to 256, got 257
   9 | pool: {active: 257}
     |                ^`},
		{"an action", head + "    apply: vanish\n", `
x.yaml:9:12: isps[0].apply: must be one of drop, reset, reject, freeze:16KiB, freeze:25packets or police:64kbit/s, got "vanish"
   9 |     apply: vanish
     |            ^`},
		{"an action of two lines", head + "    apply:\n      freeze: 16KiBs\n", `
x.yaml:10:7: isps[0].apply: freeze: must be a size in bytes like 512, 16KiB or 1MB, or a number of packets like 25packets, got "16KiBs"
  10 |       freeze: 16KiBs
     |       ^`},
		{"a prefix", head + "rules:\n  - {do: drop, when: {prefixes: [52.58.1.0/15, x]}}\n", `
x.yaml:10:34: rules[0].when.prefixes[0]: must have no bits beyond its length, got 52.58.1.0/15: write 52.58.0.0/15 or 52.58.1.0/32
  10 |   - {do: drop, when: {prefixes: [52.58.1.0/15, x]}}
     |                                  ^
x.yaml:10:48: rules[0].when.prefixes[1]: must be a prefix like 52.58.0.0/15, got "x"
  10 |   - {do: drop, when: {prefixes: [52.58.1.0/15, x]}}
     |                                                ^`},
		{"a date", head + "events:\n  - {at: yesterday, cut: [mts]}\n", `
x.yaml:10:10: events[0].at: must be a date like 2018-04-16, 2018-04-16 12:00 or 2018-04-16T12:00:30+03:00, or a time from the beginning like +36h or +2d, got "yesterday"
  10 |   - {at: yesterday, cut: [mts]}
     |          ^`},
		{"a date beyond the end", head + "events:\n  - {at: +3d, cut: [mts]}\n", `
x.yaml:10:10: events[0].at: must lie within the story, 2025-06-02 05:00 to 2025-06-04 05:00, got 2025-06-05 05:00
  10 |   - {at: +3d, cut: [mts]}
     |          ^`},
		{"hours", head + "rules:\n  - {do: drop, when: {daily: 8-23}}\n", `
x.yaml:10:30: rules[0].when.daily: must be a part of the day like 08:00-23:00, got "8-23"
  10 |   - {do: drop, when: {daily: 8-23}}
     |                              ^`},
		{"hours of unequal days", head + "clock: [{at: +1d, share: 80%}]\nrules:\n  - {do: drop, when: {daily: 08:00-23:00}}\n", `
x.yaml:11:30: rules[0].when.daily: needs days of equal length: leave out clock, or this
  11 |   - {do: drop, when: {daily: 08:00-23:00}}
     |                              ^`},
		{"a clock that goes back", head + "clock: [{at: +1d, share: 80%}, {at: +30h, share: 60%}]\n", `
x.yaml:9:50: clock[1].share: must be more than the 80% that come before it
   9 | clock: [{at: +1d, share: 80%}, {at: +30h, share: 60%}]
     |                                                  ^`},
		{"strangers", head + "events:\n  - at: +1h\n    cut: [mtz]\n    launch: [{cloud: azure, count: 1}]\n    evict: [{cloud: amazn}]\n", `
x.yaml:11:11: events[0].cut[0]: unknown ISP "mtz": is it "mts"?
  11 |     cut: [mtz]
     |           ^
x.yaml:12:22: events[0].launch[0].cloud: unknown cloud "azure": there is amazon
  12 |     launch: [{cloud: azure, count: 1}]
     |                      ^
x.yaml:13:21: events[0].evict[0].cloud: unknown cloud "amazn": is it "amazon"?
  13 |     evict: [{cloud: amazn}]
     |                     ^`},
		{"a stranger who is asked", head + "    clients: {count: 1, asks: [{to: bank.lab}]}\n", `
x.yaml:9:37: isps[0].clients.asks[0].to: unknown destination "bank.lab": there is none
   9 |     clients: {count: 1, asks: [{to: bank.lab}]}
     |                                     ^`},
		{"outside of the cloud", head + "events:\n  - {at: +1h, launch: [{cloud: amazon, in: 35.192.0.0/12, count: 0}]}\n", `
x.yaml:10:44: events[0].launch[0].in: 35.192.0.0/12 is no part of cloud amazon: add it to the cloud's prefixes, or choose another
  10 |   - {at: +1h, launch: [{cloud: amazon, in: 35.192.0.0/12, count: 0}]}
     |                                            ^
x.yaml:10:66: events[0].launch[0].count: must be from 1 to 10000, got 0
  10 |   - {at: +1h, launch: [{cloud: amazon, in: 35.192.0.0/12, count: 0}]}
     |                                                                  ^`},
		{"an entry that does nothing", head + "registry:\n  - at: +1h\n", `
x.yaml:10:5: registry[0]: does nothing: it needs block, unblock or hunt
  10 |   - at: +1h
     |     ^`},
		{"what was never blocked", head + "registry:\n  - {at: +1h, block: [52.58.0.0/15]}\n  - {at: +2h, unblock: [52.58.0.0/16]}\n", `
x.yaml:11:25: registry[1].unblock[0]: 52.58.0.0/16 is not blocked by then: unblock exactly what was blocked
  11 |   - {at: +2h, unblock: [52.58.0.0/16]}
     |                         ^`},
		{"an event that does nothing", head + "events:\n  - {at: +1h, note: hm}\n", `
x.yaml:10:5: events[0]: does nothing: it needs launch, cut, stop, hang, retire or evict
  10 |   - {at: +1h, note: hm}
     |     ^`},
		{"a name too late", head + "rules:\n  - {do: drop, when: {except-names: [bank.lab]}}\n", `
x.yaml:10:37: rules[0].when.except-names: comes too late: drop takes a flow's first packet, before it can show a name; freeze or police instead
  10 |   - {do: drop, when: {except-names: [bank.lab]}}
     |                                     ^`},
		{"no strategy", head + "strategy:\n  every: 1h\n", `
x.yaml:10:3: strategy: needs one of escalation and reaction
  10 |   every: 1h
     |   ^`},
		{"two strategies", head + "strategy:\n  escalation: {look: socks}\n  reaction: {look: noise}\n", `
x.yaml:10:3: strategy: must be one: escalation or reaction
  10 |   escalation: {look: socks}
     |   ^
x.yaml:11:20: strategy.reaction.look: must be socks, tls, http or unrecognised, got "noise"
  11 |   reaction: {look: noise}
     |                    ^`},
		{"a long line", head + "rules: [ {do: drop, when: {ports: [" + strings.Repeat("443, ", 40) + "0]}}]\n", `
x.yaml:9:236: rules[0].when.ports[40]: must be from 1 to 65535, got 0
   9 | …443, 443, 443, 443, 443, 443, 443, 443, 443, 443, 443, 443, 443, 443, 443, 443, 443, 443, 443, 0]}}]
     |                                                                                                 ^`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := scenario.Parse("x.yaml", []byte(c.text))
			if err == nil {
				t.Fatal("no error")
			}
			if got, want := err.Error(), strings.TrimPrefix(c.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// Twins are told of, and where the first is.
func TestNamesAreUnique(t *testing.T) {
	_, err := scenario.Parse("x.yaml", []byte(head+"  - name: MTS\n  - name: two words\n"))
	var errs scenario.Errors
	if !errors.As(err, &errs) || len(errs) != 2 ||
		errs[0].Message != `"MTS" is taken by isps[0]` || errs[0].Line != 9 ||
		errs[1].Message != `must be of at most 40 letters, digits, dots and hyphens, got "two words"` {
		t.Errorf("%v", err)
	}
}

// A file full of mistakes does not fill the screen.
func TestManyErrors(t *testing.T) {
	_, err := scenario.Parse("x.yaml", []byte(head+strings.Repeat("    x: 1\n", 100)))
	var errs scenario.Errors
	if !errors.As(err, &errs) || len(errs) != 21 || errs[20].Message != "and 80 more mistakes" {
		t.Errorf("%d errors: %v", len(errs), err)
	}
}

func TestLoad(t *testing.T) {
	files := fstest.MapFS{"dir/mine.yaml": {Data: []byte("\ufeff" + head)}}
	s, err := scenario.Load(files, "dir/mine.yaml")
	if err != nil || s.Name != "mine" || s.Title != "T" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := scenario.Load(files, "none.yaml"); err == nil {
		t.Error("no error for a file that is not there")
	}
	if _, err := scenario.Builtin("april-2081"); !errors.Is(err, scenario.ErrUnknown) ||
		err.Error() != `no such scenario: unknown scenario "april-2081": is it "april-2018"?` {
		t.Errorf("%v", err)
	}
}

// A scenario made in a program is held to the same, without places.
func TestValidate(t *testing.T) {
	if err := new(scenario.Scenario).Validate(); err == nil {
		t.Error("the empty scenario is valid")
	}
	for _, name := range scenario.Names() {
		s := builtin(t, name)
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.ISPs[0].Name = s.ISPs[1].Name
		s.Clouds[0].Prefixes = nil
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "isps[1].name: ") || !strings.Contains(err.Error(), "clouds[0].prefixes: ") {
			t.Errorf("%s, spoilt: %v", name, err)
		}
	}
}
