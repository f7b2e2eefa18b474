package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// TestScenarios holds the list, and that what is printed can be played: the file
// that one starts one's own from is checked and found well.
func TestScenarios(t *testing.T) {
	code, list, stderr := call(t, "", "scenarios")
	if code != 0 || stderr != "" || strings.Count(list, "\n") != 1+len(scenario.Names()) {
		t.Errorf("status %d, stderr %q, stdout\n%s", code, stderr, list)
	}
	for line := range strings.Lines(list) {
		if len([]rune(line)) > 101 {
			t.Errorf("wider than a terminal: %s", line)
		}
	}
	for _, name := range scenario.Names() {
		if !strings.Contains(list, "\n"+name+" ") {
			t.Errorf("%s is not in the list", name)
		}
		code, text, stderr := call(t, "", "scenarios", name)
		if code != 0 || stderr != "" || !strings.HasPrefix(text, "# ") {
			t.Errorf("%s: status %d, stderr %q", name, code, stderr)
		}
		path := file(t, "mine.yaml", text)
		code, stdout, stderr := call(t, "", "scenarios", path)
		if code != 0 || stderr != "" || !strings.HasPrefix(stdout, path+": nothing is wrong: ") {
			t.Errorf("%s: status %d, stdout %q, stderr %q", name, code, stdout, stderr)
		}
	}
}

// TestScenarioErrors holds what a file with mistakes is answered with, wherever it
// is given.
func TestScenarioErrors(t *testing.T) {
	path := file(t, "mine.yaml", `title: Mine
begins: 2018-04-16 12:00
lasts: 1h
clouds:
  - name: amazon
    prefixes: [52.58.0.0/15]
    latency: soon
isps:
  - name: mts
    lattency: 6ms
`)
	want := strings.TrimPrefix(strings.ReplaceAll(`
CMD: PATH:7:14: clouds[0].latency: must be a duration like 18ms, 30s, 2h30m or 36d, got "soon"
CMD:    7 |     latency: soon
CMD:      |              ^
CMD: PATH:10:5: isps[0]: unknown key "lattency": is it "latency"?
CMD:   10 |     lattency: 6ms
CMD:      |     ^
`, "PATH", path), "\n")
	for command, args := range map[string][]string{
		"paperplane lab":       {"lab", "--scenario", path},
		"paperplane scenarios": {"scenarios", path},
	} {
		code, stdout, stderr := call(t, "", args...)
		if code != 2 || stdout != "" || stderr != strings.ReplaceAll(want, "CMD", command) {
			t.Errorf("status %d, stdout %q, stderr\n%s", code, stdout, stderr)
		}
	}
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if code, _, stderr := call(t, "", "scenarios", missing); code != 1 || !strings.Contains(stderr, os.ErrNotExist.Error()) && !strings.Contains(stderr, "no such file") {
		t.Errorf("status %d, stderr %q", code, stderr)
	}
	for args, want := range map[string]string{
		"scenarios aprl-2018": `paperplane scenarios: unknown scenario "aprl-2018": is it "april-2018"? (see 'paperplane scenarios --help')`,
		"scenarios a b":       `paperplane scenarios: takes one scenario, got "b" as well (see 'paperplane scenarios --help')`,
	} {
		if code, stdout, stderr := call(t, "", strings.Fields(args)...); code != 2 || stdout != "" || stderr != want+"\n" {
			t.Errorf("status %d, stdout %q, stderr %q", code, stdout, stderr)
		}
	}
}
