package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// TestWorldUsage holds the line that each mistake is answered with.
func TestWorldUsage(t *testing.T) {
	bad := file(t, "bad.yaml", "title: x\nbegin: 2025-01-01\n")
	for _, c := range []struct {
		args string
		want string
	}{
		{"world ruN", `paperplane world: unknown command "ruN": is it "run"? (see 'paperplane world --help')`},
		{"world frobnicate", `paperplane world: unknown command "frobnicate" (see 'paperplane world --help')`},
		{"help world frobnicate", `paperplane help: unknown command "frobnicate" (see 'paperplane help --help')`},
		{"world run -- true", "paperplane world run: --scenario: needed, the name of one, or a file: 'paperplane scenarios' lists them (see 'paperplane world run --help')"},
		{"world run --scenario tspu-2026 -- true", `paperplane world run: --scenario: unknown scenario "tspu-2026": is it "tspu-2025"? (see 'paperplane world run --help')`},
		{"world run --scenario april-2018", "paperplane world run: needs a command after -- (see 'paperplane world run --help')"},
		{"world run --scenario april-2018 --isp beeline true", `paperplane world run: --isp: must be one of mts, megafon, regional, got "beeline" (see 'paperplane world run --help')`},
		{"world run --scenario april-2018 --speed 0 true", "paperplane world run: --speed: must be positive, got 0 (see 'paperplane world run --help')"},
		{"world run --scenario tspu-2025 --skip long true", `paperplane world run: --skip: must be a duration like 18ms, 30s, 2h30m or 36d, got "long" (see 'paperplane world run --help')`},
		{"world run --scenario tspu-2025 --skip 3d true", "paperplane world run: --skip: must be less than tspu-2025 lasts, 3d (see 'paperplane world run --help')"},
		{"world up now", `paperplane world up: takes no arguments, got "now" (see 'paperplane world up --help')`},
		{"world exec true", "paperplane world exec: needs --isp or --host, one of them (see 'paperplane world exec --help')"},
		{"world exec --isp mts --host site.lab true", "paperplane world exec: needs --isp or --host, one of them (see 'paperplane world exec --help')"},
		{"world exec --isp mts", "paperplane world exec: needs a command after -- (see 'paperplane world exec --help')"},
		{"world block", "paperplane world block: needs a prefix, like 52.58.0.0/15 (see 'paperplane world block --help')"},
		{"world block amazon", `paperplane world block: must be a CIDR block like 10.0.0.0/8, got "amazon" (see 'paperplane world block --help')`},
		{"world block 52.58.4.7/15", "paperplane world block: must have no bits beyond its length, got 52.58.4.7/15: write 52.58.0.0/15 or 52.58.4.7/32 (see 'paperplane world block --help')"},
		{"world block 52.58.0.0/15 --do drop", "paperplane world block: --do: needs --isp, as the registry says what to block, and each ISP how (see 'paperplane world block --help')"},
		{"world block 52.58.0.0/15 --isp mts --do explode", `paperplane world block: --do: must be one of drop, reset, reject, freeze:16KiB, freeze:25packets or police:64kbit/s, got "explode" (see 'paperplane world block --help')`},
		{"world block 52.58.0.0/15 --isp mts --share 2", `paperplane world block: --share: must be a share like 0.25 or 25%, got "2" (see 'paperplane world block --help')`},
		{"world block 52.58.0.0/15 --isp mts --port 0", "paperplane world block: --port: must be from 1 to 65535, got 0 (see 'paperplane world block --help')"},
		{"world block 52.58.0.0/15 --isp mts --direction left", `paperplane world block: --direction: must be one of up, down, got "left" (see 'paperplane world block --help')`},
		{"world block 52.58.0.0/15 --isp=", "paperplane world block: --isp: must be a name, got none (see 'paperplane world block --help')"},
		{"world unblock 52.58.0.0/15 --isp=", "paperplane world unblock: --isp: must be a name, got none (see 'paperplane world unblock --help')"},
		{"world ledger --isp=", "paperplane world ledger: --isp: must be a name, got none (see 'paperplane world ledger --help')"},
		{"world rules --isp=", "paperplane world rules: --isp: must be a name, got none (see 'paperplane world rules --help')"},
		{"world unblock", "paperplane world unblock: needs a prefix or a rule's number, or --all (see 'paperplane world unblock --help')"},
		{"world unblock --all", "paperplane world unblock: --all: needs --isp (see 'paperplane world unblock --help')"},
		{"world replace", "paperplane world replace: --isp: needed, the name of one: 'paperplane world show' lists them (see 'paperplane world replace --help')"},
		{"world replace --isp mts a b", `paperplane world replace: takes one file, got "b" as well (see 'paperplane world replace --help')`},
		{"world replace --isp mts " + bad, "paperplane world replace: " + bad + ": invalid character 'i' in literal true (expecting 'r')"},
		{"world rules --json", "paperplane world rules: --isp: needed, the name of one: 'paperplane world show' lists them (see 'paperplane world rules --help')"},
		{"world cut", "paperplane world cut: --isp: needed, the name of one: 'paperplane world show' lists them (see 'paperplane world cut --help')"},
		{"world launch", "paperplane world launch: --cloud: needed, the name of one: 'paperplane world show' lists them (see 'paperplane world launch --help')"},
		{"world launch --cloud amazon --in here", `paperplane world launch: --in: must be a CIDR block like 10.0.0.0/8, got "here" (see 'paperplane world launch --help')`},
		{"world release", "paperplane world release: needs an address (see 'paperplane world release --help')"},
		{"world release 52.58.0.0/15", "paperplane world release: must be an address, got 52.58.0.0/15 (see 'paperplane world release --help')"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := call(t, "", strings.Fields(c.args)...)
			want := 2
			if strings.HasPrefix(c.args, "world run") || strings.HasPrefix(c.args, "world exec") {
				want = 125
			}
			if code != want || stdout != "" || stderr != c.want+"\n" {
				t.Errorf("status %d, stdout %q, stderr\n  %s want\n  %s\n", code, stdout, stderr, c.want)
			}
		})
	}
	// What is wrong in a file is told with its place.
	code, stdout, stderr := call(t, "", "world", "run", "--scenario", bad, "true")
	if code != 125 || stdout != "" || !strings.Contains(stderr, "bad.yaml:2:1") {
		t.Errorf("status %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	code, _, stderr = call(t, "", "world", "run", "--scenario", missing, "true")
	if want := "paperplane world run: open " + missing + ": no such file or directory\n"; code != 125 || stderr != want {
		t.Errorf("status %d, stderr %q, want %q", code, stderr, want)
	}
}

// TestNoWorld: whoever wants one and has none is told how to get it.
func TestNoWorld(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "world")
	for _, args := range []string{"show", "rules", "ledger", "down", "cut --isp mts", "restore --isp mts", "block 52.58.0.0/15", "unblock 3 --isp mts", "launch --cloud amazon", "release 52.58.4.7"} {
		command := strings.Fields("world " + args)
		code, stdout, stderr := call(t, "", append(command, "--socket", socket)...)
		want := "paperplane world " + command[1] + ": no world at " + socket + ": 'paperplane world up' starts one, and PAPERPLANE_WORLD_SOCKET leads to one elsewhere\n"
		if code != 1 || stdout != "" || stderr != want {
			t.Errorf("%s: status %d, stdout %q, stderr\n%s want\n%s", args, code, stdout, stderr, want)
		}
	}
}

// TestWorldCompletion asks for the scenarios that are built in.
func TestWorldCompletion(t *testing.T) {
	_, out, _ := call(t, "", "__complete", "world", "up", "--scenario", "apr")
	if !strings.HasPrefix(out, "april-2018\t") {
		t.Errorf("%q", out)
	}
	_, out, _ = call(t, "", "__complete", "world", "run", "--scenario", "april-2018", "--isp", "")
	if out != "mts\nmegafon\nregional\n:4\n" {
		t.Errorf("%q", out)
	}
}

// TestApproximate: of what packets do not show, nothing is left, and all of it is
// said.
func TestApproximate(t *testing.T) {
	plain := scenario.Rule{}
	named := scenario.Rule{When: scenario.When{Names: []string{"example.org"}}}
	exempt := scenario.Rule{When: scenario.When{ExceptNames: []string{"a.example", "b.example"}}}
	s := &scenario.Scenario{
		Rules: []scenario.Rule{plain, named},
		ISPs:  []scenario.ISP{{Name: "mts", Rules: []scenario.Rule{exempt, named}}},
	}
	said := approximate(s)
	want := []string{
		"a rule for 1 name is left out",
		"a rule for 1 name at mts is left out",
		"a rule that exempts 2 names at mts exempts none",
	}
	if !slices.Equal(said, want) {
		t.Errorf("said %q", said)
	}
	if len(s.Rules) != 1 || len(s.ISPs[0].Rules) != 1 || s.ISPs[0].Rules[0].When.ExceptNames != nil {
		t.Errorf("left %+v", s)
	}
	if said := approximate(s); len(said) != 0 {
		t.Errorf("said again %q", said)
	}
}

// TestSkip: a scenario that begins later is still one, and stands where it would.
func TestSkip(t *testing.T) {
	for _, name := range scenario.Names() {
		for _, share := range []int64{0, 1, 10, 50, 99} {
			s, err := scenario.Builtin(name)
			if err != nil {
				t.Fatal(err)
			}
			begins, ends := s.Begins, s.Ends()
			d := s.Lasts * time.Duration(share) / 100
			skip(s, d)
			if err := s.Validate(); err != nil {
				t.Errorf("%s after %v: %v", name, d, err)
			}
			if !s.Begins.Equal(begins.Add(d)) || !s.Ends().Equal(ends) {
				t.Errorf("%s after %v: from %v to %v", name, d, s.Begins, s.Ends())
			}
		}
	}

	begins := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(h int) time.Time { return begins.Add(time.Duration(h) * time.Hour) }
	s := &scenario.Scenario{
		Begins: begins, Lasts: 48 * time.Hour,
		Rules: []scenario.Rule{
			{When: scenario.When{Until: at(10)}},
			{When: scenario.When{From: at(5), Until: at(20)}},
			{When: scenario.When{From: at(30)}},
		},
		Registry: []scenario.Entry{{At: at(1)}, {At: at(2)}, {At: at(20)}},
		Events: []scenario.Event{
			{At: at(1), Cut: []string{"over"}, For: time.Hour},
			{At: at(9), Cut: []string{"half over"}, For: 2 * time.Hour},
			{At: at(1), Cut: []string{"for good"}},
			{At: at(1), Launch: []scenario.Batch{{Count: 1}}, Cut: []string{"over"}, For: time.Hour},
			{At: at(4), Evict: []scenario.Eviction{{Notice: 2 * time.Hour}, {Notice: 12 * time.Hour}}},
		},
	}
	skip(s, 10*time.Hour)
	now := at(10)
	if len(s.Rules) != 2 || !s.Rules[0].When.From.IsZero() || !s.Rules[0].When.Until.Equal(at(20)) || !s.Rules[1].When.From.Equal(at(30)) {
		t.Errorf("rules %+v", s.Rules)
	}
	if e := s.Registry; !e[0].At.Equal(now) || !e[1].At.Equal(now) || !e[2].At.Equal(at(20)) {
		t.Errorf("registry %+v", e)
	}
	if len(s.Events) != 4 {
		t.Fatalf("events %+v", s.Events)
	}
	half, good, launch, evict := s.Events[0], s.Events[1], s.Events[2], s.Events[3]
	if !half.At.Equal(now) || half.For != time.Hour || good.Cut == nil || good.For != 0 || launch.Cut != nil || len(launch.Launch) != 1 {
		t.Errorf("events %+v", s.Events)
	}
	if evict.Evict[0].Notice != 0 || evict.Evict[1].Notice != 6*time.Hour {
		t.Errorf("evictions %+v", evict.Evict)
	}
}

// TestSite: what a destination answers.
func TestSite(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"GET", "/", "", 200, "this is site.lab\n"},
		{"GET", "/bytes/0", "", 200, ""},
		{"GET", "/bytes/-1", "", 400, "must be a number of bytes\n"},
		{"POST", "/", "12345", 200, "5\n"},
		{"PUT", "/anything", "12345", 200, "5\n"},
		{"GET", "/anything", "", 405, "Method Not Allowed\n"},
	} {
		w := httptest.NewRecorder()
		site("site.lab").ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body)))
		if w.Code != c.code || w.Body.String() != c.want {
			t.Errorf("%s %s: %d %q", c.method, c.path, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	site("site.lab").ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/bytes/100000", nil))
	if w.Code != 200 || w.Body.Len() != 100_000 {
		t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
	}
}

// TestEnvironment: a program inside finds its own world, not the one around it.
func TestEnvironment(t *testing.T) {
	t.Setenv("PAPERPLANE_WORLD_SOCKET", "/outer")
	t.Setenv("PAPERPLANE_KERNEL_INSIDE", "1")
	n := 0
	for _, v := range environment("/inner") {
		if strings.HasPrefix(v, "PAPERPLANE_KERNEL_") {
			t.Errorf("a program inside is told %s", v)
		}
		if strings.HasPrefix(v, "PAPERPLANE_WORLD_SOCKET=") {
			n++
			if v != "PAPERPLANE_WORLD_SOCKET=/inner" {
				t.Error(v)
			}
		}
	}
	if n != 1 || os.Getenv("PAPERPLANE_WORLD_SOCKET") != "/outer" {
		t.Errorf("%d ways to the world", n)
	}
}
