package kernel

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// inside marks the environment of a process that Main has started, so that it
// does not start another.
const inside = "PAPERPLANE_KERNEL_INSIDE"

// Main runs a program that makes networks, as TestMain does:
//
//	func TestMain(m *testing.M) { os.Exit(kernel.Main(m.Run)) }
//
// A process that may not make network namespaces, but may make user namespaces,
// executes itself once more, with the same arguments, in a user namespace where
// it is root, and a network namespace in which there is nothing but a loopback
// interface. Signals are passed on to it, and its exit code is
// returned. Otherwise Main returns what run returns.
func Main(run func() int) int {
	if os.Getenv(inside) != "" {
		_ = up("lo") // for what run has of its own; Supported tells of what is amiss
		return run()
	}
	if anyNamespace() == nil {
		return run()
	}
	code, err := again()
	if err != nil {
		return run() // Supported will tell
	}
	return code
}

// again executes this program in namespaces of its own. An error means that it
// could not be started.
func again() (code int, err error) {
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Args[0] = os.Args[0]
	c.Env = append(os.Environ(), inside+"=1")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	// The death signal is sent when the thread ends that has started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ended := make(chan struct{})
	var passing sync.WaitGroup
	begun := make(chan struct{})
	for _, s := range passedOn {
		// One each: what one has too many of must not cost another.
		came := make(chan os.Signal, 1)
		signal.Notify(came, s)
		defer signal.Stop(came)
		passing.Go(func() {
			select {
			case <-begun:
			case <-ended:
			}
			for {
				select {
				case <-came:
					if concerns(s) {
						_ = c.Process.Signal(s)
					}
				case <-ended:
					return
				}
			}
		})
	}
	defer passing.Wait()
	defer close(ended)
	if err := c.Start(); err != nil {
		return 0, err
	}
	close(begun)
	err = c.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		if err != nil {
			return 1, nil
		}
		return 0, nil
	}
	if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// passedOn are the signals that are meant for the program, not for the process that
// waits for it. Those by which a terminal stops a process and lets it go on do the
// same to both, if they are left alone.
var passedOn = []os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH,
}

// concerns reports whether the program has not got a signal by itself.
func concerns(s os.Signal) bool {
	switch s {
	case unix.SIGINT, unix.SIGQUIT, unix.SIGWINCH:
		// From a keyboard, both have got it.
		return !foreground()
	}
	return true
}

// foreground reports whether a terminal's keys reach this process.
func foreground() bool {
	f, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer f.Close()
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
