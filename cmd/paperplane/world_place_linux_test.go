package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestWorldDefaultPlace: whoever keeps a world up finds it without being told
// where, and can have another at once when it is down; also who is root nowhere
// but in the namespaces that are made for it.
func TestWorldDefaultPlace(t *testing.T) {
	needWorlds(t)
	for _, c := range []struct {
		name string
		as   func(t *testing.T, cmd *exec.Cmd)
	}{
		{"as we are", func(t *testing.T, cmd *exec.Cmd) {
			dir, err := filepath.Abs(examples)
			if err != nil {
				t.Fatal(err)
			}
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "XDG_RUNTIME_DIR=")
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		}},
		{"as anybody", func(t *testing.T, cmd *exec.Cmd) {
			// Who is not root is anybody already.
			if os.Getuid() == 0 {
				anybody(t, cmd)
				return
			}
			cmd.Dir, cmd.Env = examples, append(os.Environ(), "TMPDIR="+t.TempDir(), "XDG_RUNTIME_DIR=")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			like := exec.Command("true")
			c.as(t, like)
			command := func(args ...string) *exec.Cmd {
				cmd := exec.Command(built(t), append([]string{"world"}, args...)...)
				if os.Getuid() == 0 && c.name == "as anybody" {
					cmd = exec.Command(filepath.Join(like.Dir, "paperplane"), append([]string{"world"}, args...)...)
				}
				cmd.Dir, cmd.Env, cmd.SysProcAttr = like.Dir, like.Env, like.SysProcAttr
				return cmd
			}
			for range 2 {
				first := keep(t, command("up", "--scenario", "./small.yaml"))
				if !strings.HasPrefix(first, `world "A small world" is up at `) {
					t.Fatalf("said %q", first)
				}
				if code, stdout, stderr := said(command("show")); code != 0 || !strings.Contains(stdout, "megafon") {
					t.Errorf("show: status %d, %s%s", code, stdout, stderr)
				}
				// Who does not listen is killed after a while; down waits for that.
				stubborn := command("exec", "--isp", "mts", "--", "sh", "-c", "trap '' TERM; echo ready; sleep 600")
				stdout, err := stubborn.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := stubborn.Start(); err != nil {
					t.Fatal(err)
				}
				if _, err := stdout.Read(make([]byte, 1)); err != nil {
					t.Error(err)
				}
				defer func() { _ = stubborn.Wait() }()
				if code, stdout, stderr := said(command("down")); code != 0 {
					t.Errorf("down: status %d, %s%s", code, stdout, stderr)
				}
			}
		})
	}
}
