package relay

import (
	"errors"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// bulk is from how many readable bytes on splice(2) is worth its pipe.
	bulk = 2 * bufferSize
	// mostSpliced bounds one step, so that the counters are never far behind.
	mostSpliced = 1 << 20
)

// pumpTCP moves bytes between two kernel sockets. It waits for src without
// holding anything: a buffer is taken from the pool when there is something to
// read, and a pipe (by the net package) when there is much. A stream at rest
// costs neither.
func pumpTCP(dst, src *net.TCPConn, m *meter) (readErr, writeErr error) {
	raw, err := src.SyscallConn()
	if err != nil {
		return err, nil
	}
	s := &spout{}
	for {
		s.n, s.err, s.buffer = 0, nil, nil
		if err := raw.Read(s.look); err != nil {
			return err, nil
		}
		switch {
		case s.err != nil:
			return os.NewSyscallError("read", s.err), nil
		case s.buffer == nil:
			m.begin()
			n, err := dst.ReadFrom(&io.LimitedReader{R: src, N: int64(min(s.n, mostSpliced))})
			m.end(int(n))
			if err != nil {
				return err, nil
			}
		case s.n == 0:
			buffers.Put(s.buffer)
			return io.EOF, nil
		default:
			m.begin()
			n, err := dst.Write((*s.buffer)[:s.n])
			m.end(n)
			s.many = s.n == bufferSize
			buffers.Put(s.buffer)
			if err != nil {
				return nil, err
			}
		}
	}
}

// spout is one look at a readable socket.
type spout struct {
	many   bool // the last read filled the buffer
	n      int  // bytes in buffer, or to be spliced if buffer is nil
	buffer *[]byte
	err    error
}

// look reads what little there is, or tells how much there is. It returns false
// to wait.
func (s *spout) look(fd uintptr) bool {
	if s.many {
		n, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		if err == nil && n >= bulk {
			s.n = n
			return true
		}
		s.many = false
	}
	b := buffers.Get().(*[]byte)
	for {
		n, err := unix.Read(int(fd), *b)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			buffers.Put(b)
			return false
		case err != nil:
			buffers.Put(b)
			s.err = err
			return true
		}
		s.n, s.buffer = n, b
		return true
	}
}
