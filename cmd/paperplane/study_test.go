package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/study"
)

const strict = "compat/dynamic-strict-aggressive"

func TestStudyUsage(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const see = " (see 'paperplane study run --help')"
	for _, c := range []struct{ args, want string }{
		{"study rnu", `paperplane study: unknown command "rnu": is it "run"? (see 'paperplane study --help')`},
		{"study everything", `paperplane study: unknown command "everything" (see 'paperplane study --help')`},
		{"study list a b", `paperplane study list: takes one scenario, got "b" as well (see 'paperplane study list --help')`},
		{"study list compat/ephemeral", `paperplane study list: unknown scenario "compat/ephemeral": is it compat/ephemeral-aggressive? (see 'paperplane study list --help')`},
		{"study run", "paperplane study run: needs a scenario: 'paperplane study list' says which there are" + see},
		{"study run world", `paperplane study run: unknown scenario "world": 'paperplane study list' says which there are` + see},
		{"study run compat/dynamic-stric-aggressive", `paperplane study run: unknown scenario "compat/dynamic-stric-aggressive": is it compat/dynamic-strict-aggressive or compat/dynamic-kind-aggressive?` + see},
		{"study run " + strict + " --seeds 0", "paperplane study run: --seeds: must be from 1 to 1000000, got 0" + see},
		{"study run " + strict + " --set blocker", `paperplane study run: --set: must be name=value, got "blocker"` + see},
		{"study run " + strict + " --set =3", `paperplane study run: --set: must be name=value, got "=3"` + see},
		{"study run " + strict + " --set user_per_step=3", `paperplane study run: --set user_per_step=3: there is no "user_per_step" here: is it users_per_step? ('paperplane study list compat/dynamic-strict-aggressive' says what can be set)`},
		{"study run " + strict + " --set agents.share=2", `paperplane study run: --set agents.share=2: agents.share: must be from 0 to 1, got 2 ('paperplane study list compat/dynamic-strict-aggressive' says what can be set)`},
		{"study run " + strict + " --set blocker=gready", `paperplane study run: --set blocker=gready: blocker: must be one of null, aggressive, conservative, greedy, got "gready" ('paperplane study list compat/dynamic-strict-aggressive' says what can be set)`},
		{"study run " + strict + " --set steps=20", "paperplane study run: --set birth_steps: must be no more than steps, which is 20, got 50" + see},
		{"study run --resume", "paperplane study run: --resume: needs --out, with the directory of the study" + see},
		{"study run --resume --out " + full, "paperplane study run: --resume: there is no study in " + full + see},
		{"study run " + strict + " --out " + full, "paperplane study run: --out " + full + ": is not empty, and there is no study in it: choose another" + see},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := call(t, "", strings.Fields(c.args)...)
			if code != 2 || stdout != "" || stderr != c.want+"\n" {
				t.Errorf("status %d, stdout %q, stderr\n  %s want\n  %s\n", code, stdout, stderr, c.want)
			}
		})
	}
}

// play runs a short study into a directory, which must work, and returns its files.
func play(t *testing.T, dir string, args ...string) (stdout string, files map[string]string) {
	t.Helper()
	code, stdout, stderr := call(t, "", append([]string{"study", "run", "--out", dir}, args...)...)
	if code != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", code, stderr)
	}
	return stdout, kept(t, dir)
}

// kept are the files of a study that only its seeds decide.
func kept(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for _, name := range []string{summaryFile, seriesFile, plotFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(b)
	}
	return files
}

func equal(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %s differs", what, name)
		}
	}
}

var short60 = []string{strict, "--set", "steps=60", "--set", "blocker=greedy"}

func TestStudyRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "study")
	stdout, files := play(t, dir, append(short60, "--seeds", "4")...)
	for _, want := range []string{strict + ", 4 seeds\nwith blocker=greedy, steps=60\n\n", "\nconnectivity_true ", "; kept in " + dir + "\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(files[summaryFile])).ReadAll()
	if err != nil || len(rows) != 5 || rows[0][2] != "connectivity_true" || rows[4][0] != strict || rows[4][1] != "4" {
		t.Errorf("%v, %v", rows, err)
	}
	if lines := strings.Count(files[seriesFile], "\n"); lines != 1+4*60 {
		t.Errorf("%d lines in %s", lines, seriesFile)
	}
	var m study.Manifest
	b, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil || json.Unmarshal(b, &m) != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if m.Scenario != strict || m.Finished != 4 || m.Settings["steps"] != 60. || m.GOARCH == "" || m.Points != 60 || m.WallSeconds <= 0 {
		t.Errorf("%s", b)
	}
	// Neither the number of workers nor where it is kept shows.
	_, again := play(t, t.TempDir(), append(short60, "--seeds", "4", "--workers", "3")...)
	equal(t, "with 3 workers", again, files)

	code, _, stderr := call(t, "", append([]string{"study", "run", "--out", dir}, short60...)...)
	want := fmt.Sprintf("paperplane study run: --out %s: has 4 of 4 seeds of %s already: go on with it with --resume, or choose another (see 'paperplane study run --help')\n", dir, strict)
	if code != 2 || stderr != want {
		t.Errorf("status %d, %s want %s", code, stderr, want)
	}
}

// Without --out there is the table, and nothing else.
func TestStudyRunWithoutRecord(t *testing.T) {
	t.Chdir(t.TempDir())
	code, stdout, stderr := call(t, "", append([]string{"study", "run", "--seeds", "1"}, short60...)...)
	if code != 0 || stderr != "" || !strings.Contains(stdout, strict+", 1 seed\n") || strings.Contains(stdout, "NaN") || strings.Contains(stdout, "kept") {
		t.Errorf("status %d, stderr %q\n%s", code, stderr, stdout)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestStudyResume(t *testing.T) {
	_, whole := play(t, t.TempDir(), append(short60, "--seeds", "5")...)

	// A finished study is added to.
	dir := filepath.Join(t.TempDir(), "study")
	play(t, dir, append(short60, "--seeds", "3")...)
	stdout, files := play(t, dir, "--resume", "--seeds", "5")
	equal(t, "3 and 2 seeds", files, whole)
	if !strings.Contains(stdout, "\n2 seeds played in ") || !strings.Contains(stdout, "with blocker=greedy, steps=60") {
		t.Error(stdout)
	}

	// A file that is broken or missing is a seed that was not done.
	if err := os.WriteFile(filepath.Join(dir, runsDir, "seed-2.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, runsDir, "seed-5.json")); err != nil {
		t.Fatal(err)
	}
	stdout, files = play(t, dir, append(short60, "--resume")...)
	equal(t, "a seed that was broken", files, whole)
	if !strings.Contains(stdout, "\n2 seeds played in ") {
		t.Error(stdout)
	}

	// Another study is not mixed with it.
	for args, want := range map[string]string{
		"--set blocker=null":             "--set blocker=null: the study in " + dir + " has greedy: choose another --out for it",
		"compat/dynamic-kind-aggressive": "--resume: the study in " + dir + " is of " + strict,
	} {
		code, _, stderr := call(t, "", append([]string{"study", "run", "--resume", "--out", dir}, strings.Fields(args)...)...)
		if code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %s", args, code, stderr)
		}
	}
	manifest, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		t.Fatal(err)
	}
	older := bytes.Replace(manifest, []byte(`"version": "`), []byte(`"version": "older`), 1)
	if err := os.WriteFile(filepath.Join(dir, manifestFile), older, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := call(t, "", "study", "run", "--resume", "--out", dir)
	if code != 2 || !strings.Contains(stderr, "was begun by version older") {
		t.Errorf("status %d, %s", code, stderr)
	}
}

// What is done when it is interrupted is kept, and the error says how to go on.
func TestStudyInterrupted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my study")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // as soon as the first seed is kept
		defer cancel()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if runs, _ := filepath.Glob(filepath.Join(dir, runsDir, "seed-*")); len(runs) > 0 {
				return
			}
		}
	}()
	var stdout, stderr bytes.Buffer
	code := run(ctx, append([]string{"study", "run", "--out", dir, "--seeds", "1000000"}, short60...), nil, &stdout, &stderr)
	runs, _ := filepath.Glob(filepath.Join(dir, runsDir, "seed-*"))
	want := fmt.Sprintf("paperplane study run: interrupted: %d of 1000000 seeds are in %s; the rest: paperplane study run --resume --out '%s'\n", len(runs), dir, dir)
	if code != 1 || stdout.Len() > 0 || stderr.String() != want || len(runs) == 0 {
		t.Errorf("status %d, stdout %q, stderr %s want %s", code, stdout.String(), stderr.String(), want)
	}
	if lines := strings.Count(kept(t, dir)[summaryFile], "\n"); lines != 1+len(runs) {
		t.Errorf("%d lines for %d seeds", lines, len(runs))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestStudyList(t *testing.T) {
	code, stdout, stderr := call(t, "", "study", "list")
	if code != 0 || stderr != "" {
		t.Fatalf("status %d, %s", code, stderr)
	}
	for _, s := range scenarios {
		if !strings.Contains(stdout, "\n"+s.Name+"  ") {
			t.Errorf("%s is not in\n%s", s.Name, stdout)
		}
		code, one, stderr := call(t, "", "study", "list", s.Name)
		if code != 0 || stderr != "" {
			t.Fatalf("status %d, %s", code, stderr)
		}
		for _, have := range s.New().Settings() {
			if !strings.Contains(one, "\n"+have.Name+" ") {
				t.Errorf("%s: %s is not in\n%s", s.Name, have.Name, one)
			}
		}
	}
}

func TestStudyProgress(t *testing.T) {
	for _, c := range []struct {
		have, of, done int
		took           time.Duration
		want           string
	}{
		{0, 3, 0, 0, strings.Repeat("░", 30) + " 0 of 3 seeds"},
		{1, 3, 1, 2 * time.Second, strings.Repeat("█", 10) + strings.Repeat("░", 20) + " 1 of 3 seeds, 4.0 s left"},
		{50, 100, 10, time.Minute, strings.Repeat("█", 15) + strings.Repeat("░", 15) + " 50 of 100 seeds, 5m left"},
		{3, 3, 3, 2 * time.Second, strings.Repeat("█", 30) + " 3 of 3 seeds"},
	} {
		if got := studyProgress(c.have, c.of, c.done, c.took); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestDigits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", .12345: "0.1235", 1.23456: "1.235", 12.3456: "12.35", 123.456: "123.5", 25445.9: "25446", -.5: "-0.5000"} {
		if got := digits(v); got != want {
			t.Errorf("%g: %q, want %q", v, got, want)
		}
	}
}
