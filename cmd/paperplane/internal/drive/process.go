//go:build unix

package drive

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience bounds every wait for something that must come. It decides nothing:
// it is long enough for a machine that is busy with other things.
const Patience = 60 * time.Second

// Process is a running paperplane.
type Process struct {
	*exec.Cmd

	// Addr is where it listens, as host:port.
	Addr string
	// Ended is closed when it has ended.
	Ended chan struct{}

	stderr lockedBuffer
}

var listens = regexp.MustCompile(`socks5://(\S+)`)

// Start has launch start a command, [*exec.Cmd.Start] for instance, and waits
// until the program says where it listens. It is killed at the end of the test,
// if it still runs then.
func Start(t testing.TB, launch func(*exec.Cmd) error, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Cmd: cmd, Ended: make(chan struct{})}
	p.Cmd.Stderr = &p.stderr
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := launch(p.Cmd); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1)
	go func() {
		defer close(p.Ended)
		r := bufio.NewReader(stdout)
		line, _ := r.ReadString('\n')
		lines <- line
		_, _ = io.Copy(io.Discard, r)
		_ = p.Wait()
	}()
	t.Cleanup(func() {
		// A stopped process is woken first, so that nothing of it stays behind.
		p.Signal(syscall.SIGCONT)
		p.Signal(syscall.SIGKILL)
		<-p.Ended
		if t.Failed() {
			t.Logf("%v said:\n%s", p.Args, p.Said())
		}
	})
	select {
	case line := <-lines:
		found := listens.FindStringSubmatch(line)
		if found == nil {
			t.Fatalf("%v said %q and\n%s", p.Args, line, p.Said())
		}
		p.Addr = found[1]
	case <-time.After(Patience):
		t.Fatalf("%v says nothing", p.Args)
	}
	return p
}

// Said is what it has said on standard error so far.
func (p *Process) Said() string { return p.stderr.String() }

// Signal does nothing to a process that has ended.
func (p *Process) Signal(s syscall.Signal) { _ = p.Process.Signal(s) }

// Stop ends the process in order and returns its exit status.
func (p *Process) Stop(t testing.TB) int {
	t.Helper()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.Ended:
	case <-time.After(Patience):
		t.Fatalf("%v does not end", p.Args)
	}
	return p.ProcessState.ExitCode()
}

// Eventually waits until ok holds.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// lockedBuffer is a buffer that may be read while a process writes into it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
