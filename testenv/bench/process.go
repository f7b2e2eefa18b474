package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// process is one that this one has started, with its children.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	said  *last
}

// start runs a command, which stop ends. If stdout is not nil it gets the
// command's standard output, and must read it to its end.
func start(argv []string, stdout func(io.Reader)) (*process, error) {
	p := newProcess(argv)
	return p, p.start(stdout)
}

func newProcess(argv []string) *process {
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{}), said: &last{}}
	isolate(p.cmd)
	p.cmd.Stderr = p.said
	p.cmd.Dir = os.TempDir()
	return p
}

func (p *process) start(stdout func(io.Reader)) error {
	reading := func() {}
	if stdout != nil {
		r, err := p.cmd.StdoutPipe()
		if err != nil {
			return err
		}
		reading = func() { stdout(r) }
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(p.ended)
		reading()
		_ = p.cmd.Wait()
	}()
	return nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) stop() {
	killGroup(p.pid())
	<-p.ended
}

// listening waits until somebody listens at the address.
func (p *process) listening(ctx context.Context, at netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", at.String())
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended at once: %s", p.cmd.Path, p.said)
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen: %s", p.cmd.Path, p.said)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// startUpstream runs an Upstream as a process of its own.
func startUpstream(ctx context.Context, argv []string, at netip.Addr, origin *Ports) (*process, Ports, error) {
	lines := make(chan string, 1)
	argv = append(slices.Clone(argv), at.String())
	if origin != nil {
		argv = append(argv, origin.String())
	}
	p, err := start(argv, func(r io.Reader) {
		b := bufio.NewReader(r)
		line, _ := b.ReadString('\n')
		lines <- line
		_, _ = io.Copy(io.Discard, b)
	})
	if err != nil {
		return nil, Ports{}, err
	}
	select {
	case line := <-lines:
		ports, err := ParsePorts(line)
		if err != nil {
			p.stop()
			return nil, Ports{}, fmt.Errorf("%w %s", err, p.said)
		}
		return p, ports, nil
	case <-ctx.Done():
		p.stop()
		return nil, Ports{}, context.Cause(ctx)
	}
}

// last keeps the end of what is written.
type last struct {
	mu   sync.Mutex
	text []byte
}

func (l *last) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if over := len(l.text) - 1000; over > 0 {
		l.text = append(l.text[:0], l.text[over:]...)
	}
	return len(p), nil
}

func (l *last) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.text))
}

// footprint is what a group of processes holds at a moment, in bytes and
// numbers; kernel is that of the whole machine.
type footprint struct {
	memory, kernel     int64
	descriptors, pipes int64
}
