package exit

import (
	"errors"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// mover returns what moves the next bytes from src to dst: it waits for some,
// and returns how many it has moved, or io.EOF.
//
// Between two kernel sockets it waits without holding a buffer or a pipe, so
// that an idle stream costs neither: package net's own splice keeps two pipes,
// four descriptors, for as long as a stream is open. When bytes have come, many are
// spliced, and few are copied, which needs no pipe at all.
func mover(dst, src net.Conn) func() (int64, error) {
	in, ok := src.(*net.TCPConn)
	if !ok {
		return generic(dst, src)
	}
	raw, err := in.SyscallConn()
	if err != nil {
		return func() (int64, error) { return 0, err }
	}
	out, _ := dst.(*net.TCPConn)
	w := &waiter{raw: raw}
	w.peek = w.try // once, for a method value is an allocation
	return func() (int64, error) {
		n, err := w.wait()
		if err != nil {
			return 0, err
		}
		if out == nil || n <= bufferSize {
			return relay(dst, src)
		}
		return out.ReadFrom(&io.LimitedReader{R: in, N: int64(n)})
	}
}

// waiter waits until a socket is readable.
type waiter struct {
	raw  syscall.RawConn
	peek func(fd uintptr) bool
	n    int
	err  error
}

// wait is the number of bytes to read, or io.EOF.
func (w *waiter) wait() (int, error) {
	w.n, w.err = 0, nil
	if err := w.raw.Read(w.peek); err != nil {
		return 0, err
	}
	return w.n, w.err
}

func (w *waiter) try(fd uintptr) bool {
	var b [1]byte
	for {
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return false
		case err != nil:
			w.err = err
		case n == 0:
			w.err = io.EOF
		default:
			if w.n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ); err != nil || w.n < 1 {
				w.n = 1
			}
		}
		return true
	}
}
