package pump

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// The states of linux/tcp.h in which the other side has not ended its direction.
const (
	established = 1
	finWait1    = 4
	finWait2    = 5
	closed      = 7
)

func (s *Source) watch(c *net.TCPConn) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { s.look(int(fd)) })
	}
}

func (s *Source) look(fd int) {
	// Bytes may come between two looks.
	for range 3 {
		before, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
		if err != nil {
			return
		}
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil || info.State != established && info.State != finWait1 && info.State != finWait2 {
			return
		}
		after, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
		if err != nil {
			return
		}
		if before == after {
			s.received, s.known = info.Bytes_received-uint64(before), true
			return
		}
	}
}

// end is the error that goes with the end that a read was told of: the other
// side's FIN counts as a byte that was received.
func (s *Source) end(in syscall.RawConn) error {
	if !s.known {
		return io.EOF
	}
	var info *unix.TCPInfo
	var err error
	cerr := in.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
	if cerr == nil && err == nil && info.State == closed && info.Bytes_received == s.received {
		return os.NewSyscallError("read", syscall.ECONNRESET)
	}
	return io.EOF
}
