//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/bench"
)

// TestBench measures the program itself, with loads so small that the numbers
// mean nothing: what counts is that it was measured, without a failure.
func TestBench(t *testing.T) {
	program, remove, err := bench.Publish(built(t))
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	b := bench.Bench{
		Contenders: append([]bench.Contender{bench.Straight()}, ours(program, false)...),
		Upstream:   []string{program, "bench", "upstream"}, Origin: true, Rounds: 1,
		Loads: bench.Loads{
			RunUp: time.Millisecond, Flow: 10 * time.Millisecond, Connect: time.Minute, Connections: 40,
			Workers: 4, Held: 20, Idle: []int{50}, Settle: time.Millisecond,
		},
	}
	report, err := b.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range report.Rows {
		if len(row.Failures) > 0 || row.Figures["connections_per_s"].Median <= 0 || row.Figures["up_8_gb_per_s"].Median <= 0 {
			t.Errorf("%s: failures %q, figures %v", row.Contender, row.Failures, row.Figures)
		}
	}
}

func TestBenchUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"bench now", `paperplane bench: takes no arguments, got "now" (see 'paperplane bench --help')`},
		{"bench --rounds 0", "paperplane bench: --rounds: must be from 1 to 99, got 0 (see 'paperplane bench --help')"},
		{"bench --only nothing", `paperplane bench: --only: there is no "nothing" here (see 'paperplane bench --help')`},
		{"bench upstream 192.0.2.1", `paperplane bench upstream: must be an address of this machine alone, got "192.0.2.1" (see 'paperplane bench upstream --help')`},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := call(t, "", strings.Fields(c.args)...)
			if code != 2 || stdout != "" || stderr != c.want+"\n" {
				t.Errorf("status %d, stdout %q, stderr\n  %s want\n  %s\n", code, stdout, stderr, c.want)
			}
		})
	}
}

// TestChoose puts straight first, and keeps the order of the others.
func TestChoose(t *testing.T) {
	all := []bench.Contender{{Name: "paperplane"}, {Name: "paperplane, warm"}, {Name: "haproxy"}}
	for only, want := range map[string][]string{
		"":                   {"straight", "paperplane", "paperplane, warm", "haproxy"},
		"haproxy":            {"straight", "haproxy"},
		"haproxy,paperplane": {"straight", "paperplane", "paperplane, warm", "haproxy"},
	} {
		o := benchOptions{}
		if only != "" {
			o.only = strings.Split(only, ",")
		}
		chosen, err := o.choose(all)
		var names []string
		for _, c := range chosen {
			names = append(names, c.Name)
		}
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("%q: %q, %v, want %q", only, names, err, want)
		}
	}
}
