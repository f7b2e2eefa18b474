//go:build linux

package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/bench"
)

// TestSoak is too short to say whether anything is flat. It looks whether
// everything was seen, and whether nothing of the streams is left.
func TestSoak(t *testing.T) {
	binary, remove, err := bench.Publish(built(t))
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	o := soakOptions{duration: 3 * time.Second, streams: 20, seed: 1}
	report, err := o.soak(t.Context(), &program{stderr: io.Discard}, binary)
	if err != nil {
		t.Fatal(err)
	}
	last := report.Samples[len(report.Samples)-1]
	if last.Memory == 0 || last.Descriptors < 3 || last.Goroutines < 5 || report.After.Ended == 0 {
		t.Errorf("seen: %+v, after %+v", last, report.After)
	}
	for _, fault := range report.Faults() {
		if !strings.HasSuffix(fault, " grows") {
			t.Errorf("%s; the last failure: %s", fault, report.Failure)
		}
	}
}

func TestSoakUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"soak now", `paperplane soak: takes no arguments, got "now" (see 'paperplane soak --help')`},
		{"soak --duration 1s", "paperplane soak: --duration: must be at least 2s, got 1s (see 'paperplane soak --help')"},
		{"soak --streams 0", "paperplane soak: --streams: must be from 1 to 5000, got 0 (see 'paperplane soak --help')"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := call(t, "", strings.Fields(c.args)...)
			if code != 2 || stdout != "" || stderr != c.want+"\n" {
				t.Errorf("status %d, stdout %q, stderr\n  %s want\n  %s\n", code, stdout, stderr, c.want)
			}
		})
	}
}
