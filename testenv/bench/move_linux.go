package bench

import (
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// move moves bytes from src to dst until src ends. It splices what is there to
// be read: a stream at rest holds neither a pipe nor a buffer, so that the idle
// ones do not slow down the others.
func move(dst, src *net.TCPConn) error {
	raw, err := src.SyscallConn()
	if err != nil {
		return err
	}
	for {
		var ready int
		var failed error
		if err := raw.Read(func(fd uintptr) bool {
			var b [1]byte
			n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK)
			if err == unix.EAGAIN || err == unix.EINTR {
				return false
			}
			if failed = err; err == nil && n > 0 {
				ready, failed = unix.IoctlGetInt(int(fd), unix.TIOCINQ)
			}
			return true
		}); err != nil {
			return err
		}
		if failed != nil || ready == 0 {
			return failed
		}
		if _, err := dst.ReadFrom(&io.LimitedReader{R: src, N: int64(ready)}); err != nil {
			return err
		}
	}
}
