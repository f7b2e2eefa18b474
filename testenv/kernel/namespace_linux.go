package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace. It lives as long as it is open here, or a
// process or a socket is in it.
type namespace struct{ file *os.File }

const (
	// selfNet is the calling thread's network namespace.
	selfNet = "/proc/thread-self/ns/net"
	sysctls = "/proc/sys/net"
)

func current() (*namespace, error) {
	f, err := os.Open(selfNet)
	if err != nil {
		return nil, err
	}
	return &namespace{f}, nil
}

// newNamespace makes an empty one, whose loopback interface is down.
func newNamespace() (n *namespace, err error) {
	err = elsewhere(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		n, err = current()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	return n, nil
}

func (n *namespace) close() error { return n.file.Close() }

func (n *namespace) enter() error {
	return os.NewSyscallError("setns", unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET))
}

// do runs f on a thread in the namespace.
func (n *namespace) do(f func() error) error {
	return elsewhere(func() error {
		if err := n.enter(); err != nil {
			return err
		}
		return f()
	})
}

// elsewhere runs f on a thread whose namespace f may change. The thread ends
// with it: nothing else ever runs on a thread that is not at home.
func elsewhere(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if unix.Gettid() == unix.Getpid() {
			// The main thread would not end: the runtime puts it to sleep, and with
			// it the namespace would stay. While this goroutine holds it, another
			// cannot get it.
			err := elsewhere(f)
			runtime.UnlockOSThread()
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// visit is a thread's stay in a namespace, from enter to leave.
type visit struct{ home *namespace }

// visit takes the calling goroutine's thread into the namespace, until leave is
// called by the same goroutine, which must not do anything else meanwhile that
// goes by the namespace.
func (n *namespace) visit(home *namespace) (*visit, error) {
	runtime.LockOSThread()
	if err := n.enter(); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return &visit{home}, nil
}

// left reports whether the thread is at home again.
func (v *visit) left() bool { return v.home == nil }

// leave takes the thread home. A thread that cannot be taken home stays locked,
// so that it dies with its goroutine. Leaving twice does nothing.
func (v *visit) leave() error {
	if v.home == nil {
		return nil
	}
	if err := v.home.enter(); err != nil {
		return err
	}
	v.home = nil
	runtime.UnlockOSThread()
	return nil
}

// tune sets sysctls of the calling thread's namespace, each "path value". One
// that begins with "?" may be missing, or belong to somebody else.
func tune(settings ...string) error {
	var all []error
	for _, s := range settings {
		name, value, _ := strings.Cut(s, " ")
		name, optional := strings.CutPrefix(name, "?")
		if err := os.WriteFile(filepath.Join(sysctls, name), []byte(value), 0); err != nil && !optional {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}
