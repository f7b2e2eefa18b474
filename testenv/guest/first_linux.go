package guest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

// firstProcess is the name under which an executable knows that it is the first
// process of a guest's namespaces.
const firstProcess = "paperplane-guest"

// Main must be called first in the main function of a program that uses Start.
// If this process is a guest's first one, it does not return.
func Main() {
	if os.Args[0] == firstProcess {
		os.Exit(first(os.Args[1:]))
	}
}

// first sets the place up, runs the program, and does what is asked of the first
// process of a namespace: to take in orphans. With its end, the kernel kills
// whatever else is in there.
func first(args []string) int {
	// What a terminal sends to the group is for the program. Signals that were
	// ignored would be so in the program as well.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP)
	syscall.CloseOnExec(linkFD)
	link := os.NewFile(linkFD, "link")
	a, err := arranged(link)
	if err != nil || len(args) == 0 {
		fmt.Fprintln(os.Stderr, "paperplane: this is run by paperplane itself")
		return StatusNotExecutable
	}
	for _, err := range a.mount() {
		fmt.Fprintln(link, err)
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "paperplane:", err)
		if errors.Is(err, fs.ErrPermission) {
			return StatusNotExecutable
		}
		return StatusNotFound
	}
	p, err := os.StartProcess(path, args, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setsid: a.Apart},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "paperplane:", err)
		return StatusNotExecutable
	}
	c := &child{pid: p.Pid, apart: a.Apart}
	go c.pass(link)
	return c.wait()
}

func arranged(link io.Reader) (a arrangement, err error) {
	var length [4]byte
	if _, err := io.ReadFull(link, length[:]); err != nil {
		return a, err
	}
	text := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(link, text); err != nil {
		return a, err
	}
	return a, json.Unmarshal(text, &a)
}

// child is the program. Its number is zero once it has been waited for.
type child struct {
	mu    sync.Mutex
	pid   int
	apart bool
}

// pass hands on signals until the stream ends, and everything with it.
func (c *child) pass(link io.Reader) {
	var b [1]byte
	for {
		if _, err := io.ReadFull(link, b[:]); err != nil {
			os.Exit(statusSignal + int(syscall.SIGKILL))
		}
		c.mu.Lock()
		switch {
		case c.pid == 0:
		case c.apart:
			_ = syscall.Kill(-c.pid, syscall.Signal(b[0]))
		default:
			_ = syscall.Kill(c.pid, syscall.Signal(b[0]))
		}
		c.mu.Unlock()
	}
}

// wait reaps whoever ends, until it is the program.
func (c *child) wait() int {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return StatusNotExecutable
		case pid != c.pid:
			continue
		}
		c.mu.Lock()
		c.pid = 0
		c.mu.Unlock()
		if status.Signaled() {
			return statusSignal + int(status.Signal())
		}
		return status.ExitStatus()
	}
}

// mount binds the guest's files over the machine's, and shows it its own
// processes. It returns what was not to be had.
func (a arrangement) mount() (troubles []error) {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return []error{fmt.Errorf("programs see the machine's own names: cannot make mounts private: %w", err)}
	}
	// While nothing runs here yet, /proc is where files can be made that are
	// nowhere else. The mounts below keep them.
	const scaffold = "/proc"
	a.Files["/etc/nsswitch.conf"] = services("/etc/nsswitch.conf")
	// A cache of names that is asked before all else.
	a.Files["/var/run/nscd/socket"] = ""
	if err := syscall.Mount("tmpfs", scaffold, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=0755,size=4m"); err != nil {
		return []error{fmt.Errorf("programs see the machine's own names: cannot mount: %w", err)}
	}
	for path, text := range a.Files {
		if err := cover(scaffold, path, text); err != nil {
			troubles = append(troubles, fmt.Errorf("programs see the machine's own %s: %w", path, err))
		}
	}
	if err := syscall.Unmount(scaffold, syscall.MNT_DETACH); err != nil {
		return append(troubles, fmt.Errorf("/proc stays hidden: %w", err))
	}
	// In a container it may not be allowed. Then /proc shows the processes that
	// it did, which does no harm.
	_ = syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "")
	return troubles
}

// cover binds a new file with a text over one that exists. What does not exist
// is not missed, but for the two by which names are found.
func cover(scaffold, path, text string) error {
	_, err := os.Stat(path)
	switch {
	case err == nil:
	case strings.HasSuffix(path, "hosts"), strings.HasSuffix(path, "resolv.conf"):
		return fmt.Errorf("there is no such file to be replaced: %w", err)
	default:
		return nil
	}
	f, err := os.CreateTemp(scaffold, "")
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	if err := syscall.Mount(f.Name(), path, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("cannot be replaced: %w", err)
	}
	return nil
}

// services is an nsswitch.conf(5) that has names found in files, then by DNS, as
// other ways would lead out of the world.
func services(path string) string {
	text, _ := os.ReadFile(path)
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "hosts:") {
			b.WriteString(line)
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\nhosts: files dns\n"
}
