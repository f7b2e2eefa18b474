package relay

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bequeath has the listener set what its connections inherit (socket(7),
// tcp(7)), so that it is not set on each of them. A kernel that does not know
// one of the options does without.
func bequeath(lc *net.ListenConfig) {
	lc.KeepAlive = -1
	lc.Control = func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			s := int(fd)
			_ = unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
			_ = unix.SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(calmIdle/time.Second))
			_ = unix.SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(calmInterval/time.Second))
			// One second is the least, and as much as one retransmission of the
			// kernel's answer to a client that does not speak first.
			_ = unix.SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 1)
		})
	}
}
