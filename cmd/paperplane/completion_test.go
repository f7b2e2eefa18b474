package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

func TestCompletionScripts(t *testing.T) {
	for _, shell := range shells {
		t.Run(shell, func(t *testing.T) {
			code, script, stderr := call(t, "", "completion", shell)
			if code != 0 || stderr != "" || !strings.Contains(script, "paperplane") {
				t.Fatalf("status %d, %d bytes, stderr %q", code, len(script), stderr)
			}
			if shell != "bash" {
				return
			}
			cmd := exec.CommandContext(t.Context(), need(t, "bash"), "-n")
			cmd.Stdin = strings.NewReader(script)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("bash: %v\n%s", err, out)
			}
		})
	}
}

// TestCompletion asks what the scripts ask when the user presses tab.
func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		typed []string
		want  []string
	}{
		{[]string{"rel"}, []string{"relay"}},
		{[]string{"help", "ch"}, []string{"check"}},
		{[]string{"completion", ""}, shells},
		{[]string{"relay", "--pol"}, []string{"--policy"}},
		{[]string{"relay", "--policy", ""}, []string{"least-latency", "random", "round-robin", "sticky"}},
		{[]string{"check", "--log-format", ""}, []string{"text", "json"}},
		{[]string{"lab", "--scenario", "g"}, []string{"gfw-bridges"}},
		{[]string{"scenarios", ""}, scenario.Names()},
		{[]string{"study", ""}, []string{"list", "run"}},
		{[]string{"study", "run", "compat/e"}, []string{"compat/ephemeral-aggressive"}},
		{[]string{"study", "run", "compat/ephemeral-aggressive", "--set", "users."}, []string{"users.leave=", "users.return=", "users.restricted="}},
		{[]string{"study", "run", "compat/ephemeral-aggressive", "--set", "faults="}, []string{"faults=published", "faults=repaired"}},
	} {
		t.Run(strings.Join(c.typed, " "), func(t *testing.T) {
			code, out, _ := call(t, "", append([]string{"__complete"}, c.typed...)...)
			var words []string
			for line := range strings.Lines(out) {
				word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				if word != "" && !strings.HasPrefix(word, ":") {
					words = append(words, word)
				}
			}
			if code != 0 || strings.Join(words, " ") != strings.Join(c.want, " ") {
				t.Errorf("status %d, words %q, want %q", code, words, c.want)
			}
		})
	}
}
