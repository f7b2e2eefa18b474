package guest

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Process is a program that has been started.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	code  int

	mu   sync.Mutex
	link *os.File // nil once it has ended
}

// arrangement is what the first process of the namespaces is told by whoever
// started it. What it could not do, it answers, a line each; then each byte
// that it is sent is a signal for the program, and the end of the stream is the
// end of everything.
type arrangement struct {
	Files map[string]string
	Apart bool
}

// linkFD is where the first process finds its end of that stream.
const linkFD = 3

// Start starts a program by the means of a place: start is an ISP's Start or a
// host's Run. Wait must be called.
func Start(p Program, start func(*exec.Cmd) error) (*Process, error) {
	if len(p.Args) == 0 {
		return nil, errors.New("guest: no program to run")
	}
	ours, theirs, err := pair()
	if err != nil {
		return nil, fmt.Errorf("guest: %w", err)
	}
	defer theirs.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{firstProcess}, p.Args...)
	// A nil Env would be this process's.
	cmd.Env, cmd.Dir = append([]string{}, p.Env...), p.Dir
	// A nil *os.File is no nil io.Reader.
	if p.Stdin != nil {
		cmd.Stdin = p.Stdin
	}
	if p.Stdout != nil {
		cmd.Stdout = p.Stdout
	}
	if p.Stderr != nil {
		cmd.Stderr = p.Stderr
	}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	if err := start(cmd); err != nil {
		_ = ours.Close()
		return nil, err
	}
	q := &Process{cmd: cmd, link: ours, ended: make(chan struct{})}
	log := p.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := tell(ours, p); err != nil {
		log.Warn("the program was not told how to start", "err", err)
	}
	go q.follow(log)
	return q, nil
}

// pair is a stream between two processes.
func pair() (ours, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "guest"), os.NewFile(uintptr(fds[1]), "guest"), nil
}

func tell(link *os.File, p Program) error {
	text, err := json.Marshal(arrangement{
		Files: map[string]string{"/etc/hosts": p.Names.Hosts, "/etc/resolv.conf": p.Names.Resolver},
		Apart: p.Apart,
	})
	if err != nil {
		return err
	}
	_, err = link.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}

// follow logs what the first process has to say, and waits for its end.
func (q *Process) follow(log *slog.Logger) {
	defer close(q.ended)
	for lines := bufio.NewScanner(q.link); lines.Scan(); {
		log.Warn(lines.Text(), "program", q.cmd.Args[1])
	}
	err := q.cmd.Wait()
	q.mu.Lock()
	_ = q.link.Close()
	q.link = nil
	q.mu.Unlock()
	q.code = q.cmd.ProcessState.ExitCode()
	if status, ok := q.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		q.code = statusSignal + int(status.Signal())
	} else if ended := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ended) {
		q.code = StatusNotExecutable
	}
}

// Wait waits for the program's end and returns its exit status, or 128 and the
// number of the signal that has ended it.
func (q *Process) Wait() int {
	<-q.ended
	return q.code
}

// Ended is closed when the program has ended.
func (q *Process) Ended() <-chan struct{} { return q.ended }

// Signal sends the program a signal. It does nothing if the program has ended.
func (q *Process) Signal(s syscall.Signal) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.link != nil && s > 0 {
		// There is room for it: nobody sends more signals than fit.
		_, _ = q.link.Write([]byte{byte(s)})
	}
}

// Kill ends the program, and all that it has started, at once.
func (q *Process) Kill() { _ = q.cmd.Process.Signal(unix.SIGKILL) }
