//go:build linux

package guest_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paperplane-relay/paperplane/testenv/guest"
)

func TestMain(m *testing.M) {
	guest.Main()
	goleak.VerifyTestMain(m)
}

// place starts programs as a place of a world does, but that its network is
// merely an empty one.
func place(t *testing.T) func(*exec.Cmd) error {
	t.Helper()
	start := func(cmd *exec.Cmd) error {
		if cmd.SysProcAttr == nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{}
		}
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		return cmd.Start()
	}
	if err := start(exec.Command("/bin/true")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no namespaces: %v", err)
		}
		t.Skipf("no namespaces: %v", err)
	}
	return start
}

// lives is how long a test waits for what must come. It decides nothing.
const lives = 60 * time.Second

// run runs a shell's script as a guest, and returns what it wrote.
func run(t *testing.T, p guest.Program, script string) (code int, out string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Args = []string{"sh", "-c", script}
	p.Stdout, p.Stderr, p.Env = w, w, append(p.Env, "PATH="+os.Getenv("PATH"))
	q, err := guest.Start(p, place(t))
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return q.Wait(), string(text)
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		script string
		want   int
	}{
		{"exit 0", 0},
		{"exit 7", 7},
		{"kill -TERM $$", 128 + 15},
		{"exec /nowhere", 127},
		// Orphans that end before the program are no news.
		{"(true & ) ; sleep 0.1; exit 3", 3},
	} {
		if code, out := run(t, guest.Program{}, c.script); code != c.want {
			t.Errorf("%s: status %d, want %d: %s", c.script, code, c.want, out)
		}
	}
}

func TestNotFound(t *testing.T) {
	for args, want := range map[string]int{
		"no-such-program-anywhere": guest.StatusNotFound,
		"/etc/hostname":            guest.StatusNotExecutable,
	} {
		q, err := guest.Start(guest.Program{Args: []string{args}}, place(t))
		if err != nil {
			t.Fatal(err)
		}
		if code := q.Wait(); code != want {
			t.Errorf("%s: status %d, want %d", args, code, want)
		}
	}
}

// TestNames: the files by which names are found are the guest's own, and only
// for it.
func TestNames(t *testing.T) {
	before, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	names := guest.Names{Hosts: "149.154.160.1 site.lab\n", Resolver: "nameserver 127.0.0.1\n"}
	code, out := run(t, guest.Program{Names: names}, "cat /etc/hosts /etc/resolv.conf; grep ^hosts: /etc/nsswitch.conf; ls /proc/$$/exe")
	want := names.Hosts + names.Resolver + "hosts: files dns\n"
	if code != 0 || !strings.HasPrefix(out, want) {
		t.Errorf("status %d, and it saw\n%s want\n%s", code, out, want)
	}
	if after, err := os.ReadFile("/etc/hosts"); err != nil || string(after) != string(before) {
		t.Errorf("the machine's own file has changed: %v, %q", err, after)
	}
}

// TestEnvironment: a guest has what it was given, and no more.
func TestEnvironment(t *testing.T) {
	t.Setenv("INHERITED", "yes")
	dir := t.TempDir()
	_, out := run(t, guest.Program{Env: []string{"GIVEN=1"}, Dir: dir}, `echo "$GIVEN,$INHERITED,$PWD"`)
	if want := "1,," + dir + "\n"; out != want {
		t.Errorf("%q, want %q", out, want)
	}
}

// TestSignal: a guest apart gets signals together with what it has started.
func TestSignal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	q, err := guest.Start(guest.Program{
		// The first wait ends with the signal, the second with the child.
		Args:   []string{"sh", "-c", `trap 'echo parent' TERM; sh -c 'trap "echo child; exit" TERM; echo ready; while :; do sleep 0.05; done' & wait; wait; exit 5`},
		Env:    []string{"PATH=" + os.Getenv("PATH")},
		Stdout: w, Stderr: os.Stderr, Apart: true,
	}, place(t))
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(r, ready); err != nil {
		t.Fatal(err)
	}
	q.Signal(syscall.SIGTERM)
	if code := q.Wait(); code != 5 {
		t.Errorf("status %d", code)
	}
	q.Signal(syscall.SIGTERM) // to nobody
	text, err := io.ReadAll(r)
	if err != nil || !strings.Contains(string(text), "parent\n") || !strings.Contains(string(text), "child\n") {
		t.Errorf("%q, %v", text, err)
	}
}

// TestNothingLeft: what a guest has left running ends with it, and with Kill.
func TestNothingLeft(t *testing.T) {
	for _, c := range []struct {
		name, script string
		end          func(*guest.Process)
		want         int
	}{
		{"exit", "setsid sh -c 'trap \"\" TERM HUP INT; sleep 600' & echo ready; exit 0", func(*guest.Process) {}, 0},
		{"kill", "trap '' TERM HUP INT; setsid sleep 600 & echo ready; sleep 600", (*guest.Process).Kill, 128 + 9},
		{"stopped", "echo ready; kill -STOP $$", (*guest.Process).Kill, 128 + 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			q, err := guest.Start(guest.Program{
				Args: []string{"sh", "-c", c.script}, Env: []string{"PATH=" + os.Getenv("PATH")}, Stdout: w,
			}, place(t))
			_ = w.Close()
			if err != nil {
				t.Fatal(err)
			}
			line := make([]byte, len("ready\n"))
			if _, err := io.ReadFull(r, line); err != nil {
				t.Fatal(err)
			}
			c.end(q)
			// Everything that was started holds the pipe, so its end is theirs.
			if err := r.SetReadDeadline(time.Now().Add(lives)); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(r); err != nil {
				t.Errorf("something goes on: %v, %q", err, rest)
			}
			if code := q.Wait(); code != c.want {
				t.Errorf("status %d, want %d", code, c.want)
			}
		})
	}
}

// TestStarterKilled: a guest does not outlive a starter that is killed.
func TestStarterKilled(t *testing.T) {
	if os.Getenv("GUEST_STARTER") != "" {
		_, err := guest.Start(guest.Program{
			Args: []string{"sh", "-c", "setsid sleep 600 & echo ready; sleep 600"}, Env: os.Environ(), Stdout: os.Stdout,
		}, place(t))
		if err != nil {
			fmt.Println(err)
			return
		}
		time.Sleep(lives)
		return
	}
	place(t)
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestStarterKilled$")
	cmd.Env = append(os.Environ(), "GUEST_STARTER=1")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(r, line); err != nil || string(line) != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := r.SetReadDeadline(time.Now().Add(lives)); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(r); err != nil {
		t.Errorf("something goes on: %v, %q", err, rest)
	}
}
