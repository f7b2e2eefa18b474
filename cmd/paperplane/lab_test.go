package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/lab"
)

// TestLab runs the demonstration as a user does: in a pipe, with the curl lines
// of its help beside it, ended by Ctrl-C.
func TestLab(t *testing.T) {
	binary := built(t)
	cmd := exec.CommandContext(t.Context(), binary, "lab", "--listen", "127.0.0.1:0", "--seed", "3")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	m := regexp.MustCompile(`curl -x (socks5h://127\.0\.0\.1:\d+) http://telegram\.lab/\n$`).FindStringSubmatch(first)
	if m == nil {
		t.Fatalf("first line %q, %v, stderr %q", first, err, stderr.String())
	}
	proxy := m[1]

	page, err := exec.CommandContext(t.Context(), need(t, "curl"), "-sS", "--noproxy", "", "-x", proxy, "http://telegram.lab/").CombinedOutput()
	if err != nil || !bytes.Contains(page, []byte("It works.")) {
		t.Errorf("the page: %v, %q", err, page)
	}
	big := filepath.Join(t.TempDir(), "big")
	if out, err := exec.CommandContext(t.Context(), need(t, "curl"), "-sS", "--noproxy", "", "-C", "-", "--retry", "9", "--retry-all-errors",
		"-x", proxy, "-o", big, "http://telegram.lab/big").CombinedOutput(); err != nil {
		t.Errorf("the big file: %v\n%s", err, out)
	}
	sameContent(t, big, 100_000_000)

	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
		t.Errorf("ended with %v, stderr %q", err, stderr.String())
	}
	if text := string(rest); strings.Contains(text, "\x1b") || !strings.Contains(text, "April 2018, interrupted after ") ||
		!strings.Contains(text, ", none failed\n") {
		t.Errorf("said\n%s", text)
	}
}

// sameContent compares a file with what /big is made of.
func sameContent(t *testing.T, path string, size int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, want := sha256.New(), sha256.New()
	n, err := io.Copy(got, f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(want, lab.NewContent(size)); err != nil {
		t.Fatal(err)
	}
	if n != size || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		t.Errorf("%d bytes came, want %d, or they are others", n, size)
	}
}

// TestLabTerminated ends it as a service manager does.
func TestLabTerminated(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), built(t), "lab", "--listen", "127.0.0.1:0", "--duration", "10s")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestLabUsage holds the line that each mistake is answered with.
func TestLabUsage(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"lab now", 2, `paperplane lab: takes no arguments, got "now" (see 'paperplane lab --help')`},
		{"lab --duration 9s", 2, "paperplane lab: --duration: must be at least 10s, got 9s (see 'paperplane lab --help')"},
		{"lab --duration 0s", 2, "paperplane lab: --duration: must be positive, got 0s (see 'paperplane lab --help')"},
		{"lab --seed -1", 2, "paperplane lab: --seed: must be from 0 to 9223372036854775807, got -1 (see 'paperplane lab --help')"},
		{"lab --speed 0", 2, "paperplane lab: --speed: must be positive, got 0 (see 'paperplane lab --help')"},
		{"lab --speed fast", 2, `paperplane lab: --speed: must be a number like 1440 or 0.5, got "fast" (see 'paperplane lab --help')`},
		{"lab --speed 9 --duration 30s", 2, "paperplane lab: --speed and --duration: say one, the other follows (see 'paperplane lab --help')"},
		{"lab --speed 1e6", 2, "paperplane lab: --speed: april-2018 lasts 12d13h, and a run at least 10s: must be at most 108360, got 1e+06 (see 'paperplane lab --help')"},
		{"lab --scenario tspu-2024", 2, `paperplane lab: --scenario: unknown scenario "tspu-2024": is it "tspu-2025"? (see 'paperplane lab --help')`},
		{"lab --scenario mine", 2, `paperplane lab: --scenario: unknown scenario "mine": there is april-2018, gfw-bridges, own-outage, tspu-2025, whitelist and zello-2018; the name of a file ends in .yaml (see 'paperplane lab --help')`},
		{"lab --scenario none.yaml", 1, "paperplane lab: open none.yaml: no such file or directory"},
		{"lab --listen 0.0.0.0:0", 2, "paperplane lab: --listen 0.0.0.0:0: others can reach it, and the lab is for this machine alone (see 'paperplane lab --help')"},
		{"lab --listen " + taken, 1, "paperplane lab: " + taken + " is taken: choose another port with --listen"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := call(t, "", strings.Fields(c.args)...)
			if code != c.code || stdout != "" || stderr != c.want+"\n" {
				t.Errorf("status %d, stdout %q, stderr\n  %s want\n  %s\n", code, stdout, stderr, c.want)
			}
		})
	}
}
