package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listen opens a world's socket. Its directory is made if it is not there; one
// that others can enter, or that is not the user's own, is refused, as is a
// symbolic link in its place. A socket that nobody serves any more is replaced;
// for one that is served, the error is ErrTaken. Closing the listener removes
// the socket.
func Listen(path string) (net.Listener, error) {
	dir, err := private(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("world's socket: %w", err)
	}
	l, err := listen(dir, path)
	if err != nil {
		_ = dir.Close()
		return nil, fmt.Errorf("world's socket: %w", err)
	}
	return l, nil
}

func listen(dir *os.File, path string) (net.Listener, error) {
	name := within(dir, path)
	// Between asking whether somebody serves and taking the place, nobody else
	// may do the same. The lock goes with the process.
	lock, err := os.OpenFile(name+".lock", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		at := ""
		if path != Socket() {
			at = " --socket " + path
		}
		return nil, fmt.Errorf("%w, at %s: 'paperplane world down%s' ends it", ErrTaken, path, at)
	}
	l, err := bind(name, path)
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	return &listener{UnixListener: l, lock: lock, dir: dir}, nil
}

// bind takes the place, whose lock is held.
func bind(name, path string) (*net.UnixListener, error) {
	switch info, err := os.Lstat(name); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is no socket: remove it, or choose another path", path)
	default:
		// Nobody has the lock, so nobody serves it.
		if err := os.Remove(name); err != nil {
			return nil, err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// Nobody else could enter the directory in the meantime.
	if err := os.Chmod(name, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// owned reports whether path is a directory of this user's.
func owned(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid()
}

// private makes sure that a directory exists and only this user can enter it.
// What is judged is what is open, and stays so whatever becomes of its path.
func private(path string) (*os.File, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	dir, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	info, err := dir.Stat()
	if err == nil {
		stat, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !ok || int(stat.Uid) != os.Getuid():
			err = fmt.Errorf("%s belongs to somebody else: choose another directory", path)
		case info.Mode().Perm()&0o077 != 0 && (info.Mode()&fs.ModeSticky != 0 || here(info)):
			// To close these would hurt others.
			err = fmt.Errorf("others can enter %s: put it into a directory of its own, which is made: %s",
				path, filepath.Join(path, "paperplane", "world"))
		case info.Mode().Perm()&0o077 != 0:
			err = fmt.Errorf("others can enter %s: 'chmod 700' it, or choose another directory", path)
		}
	}
	if err != nil {
		_ = dir.Close()
		return nil, err
	}
	return dir, nil
}

// here reports whether a directory is the working directory.
func here(dir fs.FileInfo) bool {
	wd, err := os.Stat(".")
	return err == nil && os.SameFile(wd, dir)
}

// within is a path in an open directory. It is also short, as an address of a
// socket has to be.
func within(dir *os.File, path string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
}

// listener takes along its lock, and the directory that it is in.
type listener struct {
	*net.UnixListener

	lock, dir *os.File
}

// Close removes the socket. The lock's file stays: another may have it open.
func (l *listener) Close() error {
	err := l.UnixListener.Close()
	_ = l.lock.Close()
	_ = l.dir.Close()
	return err
}

// stranger is nil if the process at the other end runs as this one's user. What
// is no unix socket is nobody's.
func stranger(c net.Conn) error {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil
	}
	cred, err := peer(u)
	if err != nil {
		return fmt.Errorf("who is there? %w", err)
	}
	if uid := int(cred.Uid); uid != os.Getuid() {
		return fmt.Errorf("this world is run by another user: you are %d", uid)
	}
	return nil
}

// peer is the process at the other end and its user. A process that is in no
// namespace of this one's has no number.
func peer(u *net.UnixConn) (cred *unix.Ucred, err error) {
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	return cred, failed
}

// End ends the world at a socket, and waits until another can be served there, or
// ctx ends. Who runs in the world does not wait, as the world waits for its
// programs.
func End(ctx context.Context, path string) error {
	c, err := dial(ctx, path)
	if err != nil {
		return err
	}
	// Programs have processes of their own, and the server is none of them.
	server, err := peer(c.(*net.UnixConn))
	_ = c.Close()
	if err != nil {
		return err
	}
	if err := NewClient(path).Down(ctx); err != nil || server.Pid == 0 {
		return err
	}
	const often = 10 * time.Millisecond
	for !free(path) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("it is ending, but not over yet: %w", ctx.Err())
		case <-time.After(often):
		}
	}
	return nil
}

// free reports whether nobody has a path's lock.
func free(path string) bool {
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return true
	}
	defer lock.Close()
	return unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil
}

// dial connects to a world's socket, if this user or root serves it.
func dial(ctx context.Context, path string) (net.Conn, error) {
	dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoWorld(path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("the world at %s is run by another user", path)
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", within(dir, path))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, errNoWorld(path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("the world at %s is run by another user", path)
	}
	if err != nil {
		return nil, fmt.Errorf("world at %s: %w", path, err)
	}
	cred, err := peer(c.(*net.UnixConn))
	if err == nil && int(cred.Uid) != os.Getuid() && cred.Uid != 0 {
		err = fmt.Errorf("the world at %s is run by another user, %d", path, cred.Uid)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}
