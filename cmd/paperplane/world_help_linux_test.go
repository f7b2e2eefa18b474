package main

import (
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// TestWorldHelpExample runs what the help begins with: it shows the freeze.
func TestWorldHelpExample(t *testing.T) {
	need(t, "curl")
	p := &program{stdout: io.Discard, stderr: io.Discard}
	line := regexp.MustCompile(`^  (paperplane world run .*\\\n.*)\n`)
	for _, help := range []string{worldCommand(p).Example, worldRunCommand(p).Example} {
		m := line.FindStringSubmatch(help)
		if m == nil {
			t.Fatalf("no example in\n%s", help)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", m[1])
		cmd.Env, cmd.Dir = world(t, "").Env, t.TempDir()
		code, stdout, stderr := said(cmd)
		bytes := regexp.MustCompile(`^curl: \(28\) .* with (\d+) out of 100000 bytes received\n$`).FindStringSubmatch(stderr)
		if code != 28 || stdout != "" || bytes == nil {
			t.Fatalf("%s: status %d, stdout %q, stderr %q", m[1], code, stdout, stderr)
		}
		if n, err := strconv.Atoi(bytes[1]); err != nil || n == 0 || n >= 16<<10 {
			t.Errorf("%d bytes came through a freeze after 16 KiB", n)
		}
	}
}
