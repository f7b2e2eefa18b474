//go:build linux

package main

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

// patience bounds every wait of the process tests for something that must come.
// It decides nothing: it is long enough for a machine that is busy with other
// things.
const patience = 60 * time.Second

// process is a running paperplane.
type process struct {
	*exec.Cmd

	addr   string // where it listens
	ended  chan struct{}
	stderr lockedBuffer
}

var listens = regexp.MustCompile(`socks5://(\S+)`)

// start runs the program with args and waits until it says where it listens. It
// is killed at the end of the test, if it still runs then.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(built(t), args...), ended: make(chan struct{})}
	p.Stderr = &p.stderr
	// Nothing is left behind by a test that is killed, either.
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1)
	go func() {
		defer close(p.ended)
		r := bufio.NewReader(stdout)
		line, _ := r.ReadString('\n')
		lines <- line
		_, _ = io.Copy(io.Discard, r)
		_ = p.Wait()
	}()
	t.Cleanup(func() {
		// A stopped process is woken first, so that nothing of it stays behind.
		p.signal(syscall.SIGCONT)
		p.signal(syscall.SIGKILL)
		<-p.ended
		if t.Failed() {
			t.Logf("paperplane %v said:\n%s", args, p.stderr.String())
		}
	})
	select {
	case line := <-lines:
		found := listens.FindStringSubmatch(line)
		if found == nil {
			t.Fatalf("paperplane %v said %q and\n%s", args, line, p.stderr.String())
		}
		p.addr = found[1]
	case <-time.After(patience):
		t.Fatalf("paperplane %v says nothing", args)
	}
	return p
}

// signal does nothing to a process that has ended.
func (p *process) signal(s syscall.Signal) { _ = p.Process.Signal(s) }

// stop ends the process in order and returns its exit status.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatalf("%v does not end", p.Args)
	}
	return p.ProcessState.ExitCode()
}

// startExits runs n endpoints, each on an address in a prefix of its own, and
// returns them with their URLs.
func startExits(t *testing.T, n int) (exits []*process, urls []string) {
	t.Helper()
	for i := range n {
		e := start(t, "exit", "--listen", "127.0."+string(rune('1'+i))+".1:0", "--allow", "127.0.0.0/8", "--allow", "::1/128")
		exits = append(exits, e)
		urls = append(urls, "socks5://"+e.addr)
	}
	return exits, urls
}

// startRelay runs a relay with these arguments on a free port.
func startRelay(t *testing.T, args ...string) *process {
	t.Helper()
	return start(t, append([]string{"relay", "--listen", "127.0.0.1:0"}, args...)...)
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
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
