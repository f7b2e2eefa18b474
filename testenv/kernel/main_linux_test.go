package kernel_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Nobody has no rights, but a user namespace.
func TestMainAsNobody(t *testing.T) {
	supported(t)
	if os.Getuid() != 0 || os.Getenv("PAPERPLANE_KERNEL_INSIDE") != "" {
		return // it is what is going on
	}
	if b, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); err != nil || strings.TrimSpace(string(b)) == "0" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no user namespaces here: %v", err)
		}
		t.Skip("no user namespaces here")
	}
	run := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, "/proc/self/exe", args...)
		c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) } // which is passed on
		c.WaitDelay = patience
		c.Dir = "/"
		c.Env = append(os.Environ(), "CI=true")
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := run("-test.run=^(TestDial|TestFreezeUp|TestTraffic)$", "-test.v"); err != nil || strings.Count(out, "--- PASS") != 3 {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := run("-test.run=^TestDial$", "-no.such.flag"); err == nil || err.(*exec.ExitError).ExitCode() != 2 { //nolint:errorlint // its own
		t.Errorf("%v, want the exit code 2 of the flag package\n%s", err, out)
	}
}
