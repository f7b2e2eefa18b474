package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/cmd/paperplane/internal/drive"
	"github.com/paperplane-relay/paperplane/testenv/remote"
)

const (
	examples = "../../testenv/examples"
	small    = examples + "/small.yaml"
)

// noWorlds says why there can be no world here; empty if there can.
var (
	noWorlds  string
	broken    bool // it is not the machine that is to blame
	tryWorlds sync.Once
)

// needWorlds skips a test where there can be no world, unless there must be. The
// program is asked: it may do what this process may not.
func needWorlds(t *testing.T) {
	t.Helper()
	binary := built(t)
	tryWorlds.Do(func() {
		if out, err := exec.Command(binary, "world", "run", "--scenario", small, "--", "true").CombinedOutput(); err != nil {
			noWorlds = err.Error() + ": " + string(out)
			ended := (*exec.ExitError)(nil)
			broken = !errors.As(err, &ended) || ended.ExitCode() != remote.StatusFailed ||
				!strings.Contains(noWorlds, "this machine cannot have such a world")
		}
	})
	if noWorlds != "" && (broken || os.Getenv("CI") == "true") {
		t.Fatal(noWorlds)
	} else if noWorlds != "" {
		t.Skip(noWorlds)
	}
}

// world is a command of the built program that has to do with worlds. It is
// killed with the test, and finds a world at socket, if that is not empty.
func world(t *testing.T, socket string, args ...string) *exec.Cmd {
	t.Helper()
	needWorlds(t)
	cmd := exec.CommandContext(t.Context(), built(t), append([]string{"world"}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(built(t))+":"+os.Getenv("PATH"), "TMPDIR="+t.TempDir())
	if socket != "" {
		cmd.Env = append(cmd.Env, remote.Variable+"="+socket)
	}
	return cmd
}

// said runs a command to its end.
func said(cmd *exec.Cmd) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), withoutLog(err.String())
}

// withoutLog leaves out what the world logs.
func withoutLog(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "time=") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// up keeps a world up, until the test ends, and returns its socket.
func up(t *testing.T) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "own", "world")
	needWorlds(t)
	// The test's context ends before what is to be seen at the end.
	cmd := exec.Command(built(t), "world", "up", "--scenario", small, "--socket", socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if first, want := keep(t, cmd), `world "A small world" is up at `+socket+"\n"; first != want {
		t.Errorf("said %q, want %q", first, want)
	}
	return socket
}

// keep starts what keeps a world up, until the test ends, and returns the first
// line that it says: empty if it says none.
func keep(t *testing.T, cmd *exec.Cmd) (first string) {
	t.Helper()
	// Nobody reads it before the process has ended.
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
	first, _ = lines.ReadString('\n')
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, lines)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("the world ended with %v\n%s", cmd.ProcessState, stderr.String())
		}
	})
	return first
}

// TestWorldRun: a command runs in an ISP of a world of its own, and is what the
// exit status is of.
func TestWorldRun(t *testing.T) {
	for _, c := range []struct {
		script       string
		code         int
		stdout, errs string
	}{
		{"exit 7", 7, "", ""},
		{"kill -TERM $$", 128 + 15, "", ""},
		{"cat; echo err >&2", 0, "given", "err\n"},
		{"nothing-of-that-name 2>&1; exit $?", 127, "sh: 1: nothing-of-that-name: not found\n", ""},
		// Nothing but the ISP's own network is there, and the world's names.
		{"ls /sys/class/net >/dev/null; cat /proc/net/dev | grep -c :", 0, "2\n", ""},
		{"grep -c site.lab /etc/hosts", 1, "0\n", ""},
	} {
		cmd := world(t, "", "run", "--scenario", small, "--isp", "mts", "--", "sh", "-c", c.script)
		cmd.Stdin = strings.NewReader("given")
		code, stdout, stderr := said(cmd)
		if code != c.code || stdout != c.stdout || stderr != c.errs {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want %d, %q, %q", c.script, code, stdout, stderr, c.code, c.stdout, c.errs)
		}
	}
	// Without a shell in between, what is not there is told by the program.
	code, stdout, stderr := said(world(t, "", "run", "--scenario", small, "nothing-of-that-name"))
	if code != 127 || stdout != "" || !strings.Contains(stderr, "nothing-of-that-name") {
		t.Errorf("status %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// TestWorldNames: in an ISP a name is found, but not in secret; machines know it.
func TestWorldNames(t *testing.T) {
	curl := need(t, "curl")
	script := `set -e
		paperplane world exec --host site.lab -- ` + curl + ` -sS --noproxy '*' -m 30 http://site.lab/
		paperplane world ledger | grep -c 'in the open' || true
		` + curl + ` -sS --noproxy '*' -m 30 http://site.lab/
		paperplane world ledger --isp mts | grep 'in the open'`
	code, stdout, stderr := said(world(t, "", "run", "--scenario", small, "--", "sh", "-c", script))
	want := regexp.MustCompile(`^this is site\.lab\n0\nthis is site\.lab\nin the open: site\.lab from mts, \d times?\nin the open: site\.lab:80 from mts, 1 time\n$`)
	if code != 0 || !want.MatchString(stdout) || stderr != "" {
		t.Errorf("status %d, stdout\n%s stderr\n%s", code, stdout, stderr)
	}
}

// TestWorldExample runs the example of the README.
func TestWorldExample(t *testing.T) {
	need(t, "microsocks")
	need(t, "curl")
	bash := need(t, "bash")
	needWorlds(t)
	checked := func(t *testing.T, cmd *exec.Cmd) {
		t.Helper()
		code, stdout, stderr := said(cmd)
		m := regexp.MustCompile(`^before: +100000 of 100000 bytes
frozen: +(\d+) of 100000 bytes
and a check: +1000 of 1000 bytes
ISP  SERVER +DIALS  ANSWERED  BLOCKED .*
mts  52\.5[89]\.\d+\.\d+:1080 .*
under a rule: 1 address, 0 tenants
after: +100000 of 100000 bytes
$`).FindStringSubmatch(stdout)
		if code != 0 || m == nil {
			t.Fatalf("status %d, stdout\n%s stderr\n%s", code, stdout, stderr)
		}
		if n, err := strconv.Atoi(m[1]); err != nil || n == 0 || n >= 16<<10 {
			t.Errorf("%d bytes came through a freeze after 16 KiB", n)
		}
	}
	t.Run("as we are", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), bash, examples+"/freeze.sh")
		cmd.Env = world(t, "").Env
		checked(t, cmd)
	})
	if os.Getuid() != 0 {
		return
	}
	t.Run("as anybody", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), bash, "freeze.sh")
		anybody(t, cmd)
		checked(t, cmd)
	})
}

// anybody has a command run as a user who may do nothing, in a directory with the
// program, and what the examples need. Only root can be somebody else.
func anybody(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	const nobody = 65534
	dir := t.TempDir()
	for _, name := range []string{built(t), examples + "/freeze.sh", small} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tmp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(tmp, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	for d := dir; d != filepath.Clean(os.TempDir()) && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "TMPDIR="+tmp, "XDG_RUNTIME_DIR=", "HOME="+tmp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: syscall.SIGKILL}
}

// TestWorldUp goes through what can be asked of a running world.
func TestWorldUp(t *testing.T) {
	socket := up(t)
	// ask fails the test if the command does not end as it should.
	ask := func(code int, args ...string) (stdout, stderr string) {
		t.Helper()
		got, stdout, stderr := said(world(t, socket, args...))
		if got != code {
			t.Errorf("%v: status %d, want %d: %s%s", args, got, code, stdout, stderr)
		}
		return stdout, stderr
	}
	lines := func(want string, args ...string) {
		t.Helper()
		if stdout, stderr := ask(0, args...); stdout != want || stderr != "" {
			t.Errorf("%v: said\n%s%s want\n%s", args, stdout, stderr, want)
		}
	}

	if _, stderr := ask(125, "up", "--scenario", small, "--socket", socket); !strings.Contains(stderr, "a world is already there") {
		t.Errorf("two worlds at one place: %s", stderr)
	}
	lines("52.58.4.7\n", "launch", "--cloud", "amazon", "--bare", "--in", "52.58.4.7")
	stdout, _ := ask(0, "launch", "--cloud", "amazon", "--port", "443")
	if !regexp.MustCompile(`^socks5://52\.5[89]\.\d+\.\d+:443\n$`).MatchString(stdout) {
		t.Errorf("launched %q", stdout)
	}
	ask(1, "launch", "--cloud", "google")
	if stdout, _ := ask(0, "show"); !strings.Contains(stdout, "bare         amazon    52.58.4.7") || !strings.Contains(stdout, "isp          megafon") {
		t.Errorf("it shows\n%s", stdout)
	}
	ask(0, "release", "52.58.4.7")
	ask(1, "release", "52.58.4.7")

	lines("1\n", "block", "52.58.0.0/15", "--isp", "mts", "--do", "freeze:16KiB")
	lines("2\n", "block", "52.58.4.7", "52.58.4.8", "--isp", "mts", "--do", "reset", "--port", "1080", "--share", "25%", "--direction", "up")
	lines("", "block", "52.58.0.0/15")
	const head = "ISP  RULE  DO            TO\n"
	const mts = head + `mts     1  freeze:16KiB  52.58.0.0/15
mts     2  reset         52.58.4.7/32, 52.58.4.8/32; port 1080; up only; 25 % of flows
`
	lines(mts+"mts     3  drop          what the registry lists, 1 prefix\n", "rules", "--isp", "mts")
	saved, _ := ask(0, "rules", "--isp", "mts", "--json")
	lines("", "unblock", "52.58.0.0/15", "--isp", "mts")
	lines("", "unblock", "2", "--isp", "mts")
	ask(1, "unblock", "2", "--isp", "mts")
	ask(1, "unblock", "52.58.0.0/16", "--isp", "mts")
	lines("", "unblock", "52.58.0.0/15")
	ask(1, "unblock", "52.58.0.0/15")
	lines("ISP  RULE  DO  TO\n", "rules")
	back := world(t, socket, "replace", "--isp", "mts")
	back.Stdin = strings.NewReader(saved)
	if code, stdout, stderr := said(back); code != 0 {
		t.Errorf("status %d, %s%s", code, stdout, stderr)
	}
	lines(strings.NewReplacer("mts     1", "mts     4", "mts     2", "mts     5").Replace(mts), "rules")
	lines("", "unblock", "--all", "--isp", "mts")
	lines("ISP  RULE  DO  TO\n", "rules")

	lines("", "cut", "--isp", "megafon")
	if stdout, _ := ask(0, "show"); !strings.Contains(stdout, "its network is down") {
		t.Errorf("it shows\n%s", stdout)
	}
	lines("", "restore", "--isp", "megafon")
	if _, stderr := ask(1, "ledger", "--isp", "mtz"); stderr != "paperplane world ledger: there is no ISP \"mtz\": there are mts, megafon\n" {
		t.Errorf("of an ISP that does not exist: %s", stderr)
	}
	var l remote.Ledger
	stdout, _ = ask(0, "ledger", "--json")
	if err := json.Unmarshal([]byte(stdout), &l); err != nil || len(l.Outages) != 1 || l.Outages[0].Until.IsZero() {
		t.Errorf("%v in %s", err, stdout)
	}
	var is remote.World
	stdout, _ = ask(0, "show", "--json")
	if err := json.Unmarshal([]byte(stdout), &is); err != nil || is.Backend != "kernel" || len(is.ISPs) != 2 {
		t.Errorf("%v in %s", err, stdout)
	}

	exec := world(t, socket, "exec", "--isp", "mts", "--", "sh", "-c", "cat; echo err >&2; exit 3")
	exec.Stdin = strings.NewReader("given")
	if code, stdout, stderr := said(exec); code != 3 || stdout != "given" || stderr != "err\n" {
		t.Errorf("status %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	ask(127, "exec", "--isp", "mts", "--", "nothing-of-that-name")
	ask(125, "exec", "--isp", "beeline", "--", "true")
	ask(125, "exec", "--host", "52.58.4.7", "--", "true")
	stdout, _ = ask(0, "exec", "--host", "site.lab", "--", "sh", "-c", "echo $"+remote.Variable)
	if stdout != socket+"\n" {
		t.Errorf("it finds the world at %q", stdout)
	}

	code, words, _ := said(world(t, socket))
	if code != 0 || !strings.Contains(words, "exec") {
		t.Errorf("status %d, %s", code, words)
	}
	complete := anyCommand(t, socket, "__complete", "world", "block", "--isp", "")
	if _, stdout, _ := said(complete); stdout != "mts\nmegafon\n:4\n" {
		t.Errorf("completed %q", stdout)
	}
	complete = anyCommand(t, socket, "__complete", "world", "launch", "--cloud", "")
	if _, stdout, _ := said(complete); stdout != "amazon\n:4\n" {
		t.Errorf("completed %q", stdout)
	}
}

// anyCommand is any command of the program, with a world at socket.
func anyCommand(t *testing.T, socket string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), built(t), args...)
	cmd.Env = append(os.Environ(), remote.Variable+"="+socket)
	return cmd
}

// TestWorldRules: a rule that is given at run time does what it says to packets.
func TestWorldRules(t *testing.T) {
	curl := need(t, "curl")
	// How a dial ends: 0 if it is answered, 7 if it is refused, 28 if not at all.
	script := `dial() { ` + curl + ` -s --noproxy '*' -m "$1" -o /dev/null "http://$addr/"; echo $?; }
		addr=$(paperplane world show | awk '$1 == "destination" { print $3 }')
		dial 30
		paperplane world block "$addr" --isp mts --do reset >/dev/null; dial 30
		paperplane world unblock "$addr" --isp mts; paperplane world block "$addr" --isp mts --do drop >/dev/null; dial 1
		paperplane world unblock --all --isp mts; dial 30`
	code, stdout, stderr := said(world(t, "", "run", "--scenario", small, "--", "sh", "-c", script))
	if code != 0 || stdout != "0\n7\n28\n0\n" || stderr != "" {
		t.Errorf("status %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// TestWorldSignals: what runs inside is told to end, and the world ends with it.
func TestWorldSignals(t *testing.T) {
	const script = `trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.05; done`
	begin := func(t *testing.T, cmd *exec.Cmd) *bufio.Reader {
		t.Helper()
		cmd.Stderr = os.Stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(stdout)
		if line, err := r.ReadString('\n'); line != "ready\n" {
			t.Fatalf("%q, %v", line, err)
		}
		return r
	}
	finish := func(t *testing.T, cmd *exec.Cmd, r *bufio.Reader) {
		t.Helper()
		rest, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 9 || string(rest) != "bye\n" {
			t.Errorf("status %d, and it said %q", code, rest)
		}
	}
	t.Run("run", func(t *testing.T) {
		cmd := world(t, "", "run", "--scenario", small, "--log-level", "error", "--", "sh", "-c", script)
		r := begin(t, cmd)
		_ = cmd.Process.Signal(syscall.SIGTERM)
		finish(t, cmd, r)
	})
	t.Run("exec", func(t *testing.T) {
		socket := up(t)
		cmd := world(t, socket, "exec", "--isp", "mts", "--", "sh", "-c", script)
		r := begin(t, cmd)
		_ = cmd.Process.Signal(syscall.SIGTERM)
		finish(t, cmd, r)
	})
	t.Run("down", func(t *testing.T) {
		socket := up(t)
		cmd := world(t, socket, "exec", "--isp", "mts", "--", "sh", "-c", script)
		r := begin(t, cmd)
		if code, stdout, stderr := said(world(t, socket, "down")); code != 0 {
			t.Errorf("status %d, %s%s", code, stdout, stderr)
		}
		finish(t, cmd, r)
	})
}

// TestWorldKilled: nothing goes on when what has started it is killed, not even
// what has taken leave of its session.
func TestWorldKilled(t *testing.T) {
	const script = `trap '' TERM HUP INT; setsid sleep 600 & echo ready; sleep 600`
	for _, c := range []struct {
		name string
		// begin starts the script, and returns what to kill.
		begin func(t *testing.T, stdout *os.File) *exec.Cmd
	}{
		{"run", func(t *testing.T, stdout *os.File) *exec.Cmd {
			cmd := world(t, "", "run", "--scenario", small, "--", "sh", "-c", script)
			cmd.Stdout = stdout
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			return cmd
		}},
		{"run as anybody", func(t *testing.T, stdout *os.File) *exec.Cmd {
			cmd := world(t, "", "run", "--scenario", "./small.yaml", "--", "sh", "-c", script)
			cmd.Dir, cmd.Stdout = examples, stdout
			if os.Getuid() == 0 {
				anybody(t, cmd)
				cmd.Path = filepath.Join(cmd.Dir, "paperplane")
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			return cmd
		}},
		{"exec", func(t *testing.T, stdout *os.File) *exec.Cmd {
			socket := up(t)
			cmd := world(t, socket, "exec", "--isp", "mts", "--", "sh", "-c", script)
			cmd.Stdout = stdout
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			return cmd
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd := c.begin(t, w)
			_ = w.Close()
			line := make([]byte, len("ready\n"))
			if _, err := io.ReadFull(r, line); err != nil || string(line) != "ready\n" {
				t.Fatalf("%q, %v", line, err)
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			// Whatever has been started holds the pipe: its end is theirs.
			if err := r.SetReadDeadline(time.Now().Add(drive.Patience)); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(r); err != nil {
				t.Errorf("something goes on: %v, %q", err, rest)
			}
		})
	}
}

// TestWorldRefused: where there are no namespaces, nothing is begun.
func TestWorldRefused(t *testing.T) {
	needWorlds(t)
	tmp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `echo 0 >/proc/sys/user/max_net_namespaces && exec "$@"`, "sh",
		built(t), "world", "run", "--scenario", small, "--", "echo", "it runs")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	code, stdout, stderr := said(cmd)
	if want := "paperplane world run: this machine cannot have such a world: not supported in a kernel world: network namespaces"; code != 125 || stdout != "" || !strings.HasPrefix(stderr, want) {
		t.Errorf("status %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestWorldServers: a program on a bare machine is reached from an ISP, and by
// its own address alone.
func TestWorldServers(t *testing.T) {
	need(t, "microsocks")
	curl := need(t, "curl")
	socket := up(t)
	code, stdout, stderr := said(world(t, socket, "launch", "--cloud", "amazon", "--bare"))
	addr, err := netip.ParseAddr(strings.TrimSpace(stdout))
	if code != 0 || err != nil {
		t.Fatalf("status %d, %v, %s", code, err, stderr)
	}
	server := world(t, socket, "exec", "--host", addr.String(), "--", "microsocks", "-i", addr.String())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	drive.Eventually(t, "the server answers", func() bool {
		code, stdout, _ := said(world(t, socket, "exec", "--isp", "megafon", "--", curl, "-sS", "-m", "30",
			"--socks5-hostname", addr.String()+":1080", "http://site.lab/"))
		return code == 0 && stdout == "this is site.lab\n"
	})
	if code, stdout, stderr := said(world(t, socket, "release", addr.String())); code != 0 {
		t.Errorf("status %d, %s%s", code, stdout, stderr)
	}
	// Who has given the machine back is not heard any more.
	if code, _, _ := said(world(t, socket, "exec", "--isp", "megafon", "--", curl, "-s", "-m", "1",
		"--socks5-hostname", addr.String()+":1080", "http://site.lab/")); code != 28 {
		t.Errorf("curl ended with %d, want 28: no answer", code)
	}
	// What ran there has ended, so that it is not heard at the next machine either.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(drive.Patience):
		t.Error("the server goes on when its machine is gone")
		_ = server.Process.Kill()
		<-ended
	}
}
