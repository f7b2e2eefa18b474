package pump

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// mostSpliced bounds one step, and so by how much the meter may be late. It is
	// leastStep while more than mostRescued is kept in memory for readers that do
	// not read.
	mostSpliced = 1 << 20
	leastStep   = 64 << 10
	mostRescued = 64 << 20
	// leastSpliced is how much a step has to bring for the next to be spliced
	// too.
	leastSpliced = bufferSize
	// holdFor is how long a pipe waits for a reader that does not read. Then its
	// bytes are moved into memory, and the pipe serves others.
	holdFor = time.Second
	// prompt is how quickly a write has to end for its reader not to be slow
	// any more.
	prompt = 10 * time.Millisecond
)

// direction is one run between two kernel sockets, or from one to something
// else, which then is copied.
type direction struct {
	dst net.Conn
	out syscall.RawConn // nil: copy
	m   Meter

	bulk bool // the last step was as big as could be: splice the next
	slow bool // the reader does not keep up: copy, it holds no pipe

	// What the last look at the source has brought: bytes in buffer or in pipe.
	n      int
	err    error
	buffer *[bufferSize]byte
	pipe   *pipe // kept from one step to the next while there is more

	waits bool // emit may wait for dst
}

// runTCP moves bytes from a kernel socket.
func runTCP(dst net.Conn, src *net.TCPConn, s *Source, m Meter) (readErr, writeErr error) {
	in, err := src.SyscallConn()
	if err != nil {
		return err, nil
	}
	d := &direction{dst: dst, m: m}
	defer d.release()
	if tcp, ok := dst.(*net.TCPConn); ok {
		if d.out, err = tcp.SyscallConn(); err != nil {
			return nil, err
		}
	}
	// A method value is an allocation, so each is made once.
	fill, emit := d.fill, d.emit
	for {
		d.n, d.err = 0, nil
		if err := in.Read(fill); err != nil {
			return err, nil
		}
		switch {
		case d.err != nil:
			return os.NewSyscallError("read", d.err), nil
		case d.n == 0:
			return s.end(in), nil
		}
		s.received += uint64(d.n)
		m.Begin()
		var n int
		if d.buffer != nil {
			n, err = d.copy()
		} else {
			n, err = d.drain(emit)
		}
		m.End(n)
		if err != nil {
			return nil, err
		}
	}
}

// release gives back whatever is held.
func (d *direction) release() {
	if d.buffer != nil {
		buffers.Put(d.buffer)
		d.buffer = nil
	}
	if d.pipe != nil {
		pipes.give(d.pipe)
		d.pipe = nil
	}
}

// fill takes from the source what there is. It returns false to wait, and holds
// nothing then.
func (d *direction) fill(fd uintptr) bool {
	if d.bulk && !d.slow && d.out != nil {
		if done, ready := d.fillPipe(int(fd)); done {
			return ready
		}
	}
	d.buffer = buffers.Get().(*[bufferSize]byte)
	for {
		d.n, d.err = unix.Read(int(fd), d.buffer[:])
		switch {
		case errors.Is(d.err, unix.EINTR):
			continue
		case errors.Is(d.err, unix.EAGAIN):
			d.release()
			return false
		}
		d.bulk = d.n == bufferSize
		if d.n <= 0 {
			d.release()
		}
		return true
	}
}

// fillPipe is fill by splice(2). It is not done if that is not to be had.
func (d *direction) fillPipe(fd int) (done, ready bool) {
	if d.pipe == nil {
		if d.pipe = pipes.take(); d.pipe == nil {
			return false, false
		}
	}
	step := mostSpliced
	if rescued.Load() > mostRescued {
		step = leastStep
	}
	n, err := splice(fd, d.pipe.w, step)
	switch {
	case errors.Is(err, unix.EAGAIN):
		d.release()
		return true, false
	case errors.Is(err, unix.EINVAL):
		// The socket cannot: it is wrapped by the kernel in a way that splice
		// does not know.
		d.out = nil
		d.release()
		return false, false
	}
	d.n, d.err = max(n, 0), err
	d.pipe.held = d.n
	d.bulk = n >= leastSpliced
	if d.n == 0 {
		d.release()
	}
	return true, true
}

// copy writes the buffer out.
func (d *direction) copy() (int, error) {
	var began time.Time
	if d.slow {
		began = time.Now()
	}
	n, err := d.dst.Write(d.buffer[:d.n])
	d.release()
	if d.slow {
		d.slow = time.Since(began) > prompt
	}
	return n, err
}

// drain writes the pipe out, and returns how much of it. First it does so
// without waiting, which is the usual case and costs no timer.
func (d *direction) drain(emit func(fd uintptr) bool) (int, error) {
	total := d.pipe.held
	d.waits, d.err = false, nil
	err := d.out.Write(emit)
	if err == nil && d.err == nil && d.pipe.held > 0 {
		d.waits = true
		_ = d.dst.SetWriteDeadline(time.Now().Add(holdFor))
		err = d.out.Write(emit)
		_ = d.dst.SetWriteDeadline(time.Time{})
	}
	if err == nil {
		err = d.err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return d.rescue(total)
	}
	written := total - d.pipe.held
	if err != nil || !d.bulk {
		d.release()
	}
	return written, err
}

// emit splices from the pipe to the destination. It returns false to wait for
// it.
func (d *direction) emit(fd uintptr) bool {
	for d.pipe.held > 0 {
		n, err := splice(d.pipe.r, int(fd), d.pipe.held)
		if errors.Is(err, unix.EAGAIN) {
			return !d.waits
		}
		if err != nil {
			d.err = os.NewSyscallError("splice", err)
			return true
		}
		d.pipe.held -= n
	}
	return true
}

// rescued is how many bytes are kept in memory for readers that do not read.
var rescued atomic.Int64

// rescue takes what the reader has left in the pipe into memory, gives the pipe
// back, and writes from there for as long as it takes. Of the total it returns
// what has been written.
func (d *direction) rescue(total int) (int, error) {
	d.slow, d.bulk = true, false
	b := make([]byte, d.pipe.held)
	rescued.Add(int64(len(b)))
	defer rescued.Add(-int64(len(b)))
	for got := 0; got < len(b); {
		n, err := unix.Read(d.pipe.r, b[got:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			d.release()
			return total - len(b), os.NewSyscallError("read", err)
		}
		got += n
		d.pipe.held -= n
	}
	d.release()
	n, err := d.dst.Write(b)
	return total - len(b) + n, err
}

// splice moves up to most bytes from one descriptor to another, of which one is
// a pipe.
func splice(from, to, most int) (int, error) {
	for {
		n, err := unix.Splice(from, nil, to, nil, most, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		if !errors.Is(err, unix.EINTR) {
			return int(n), err
		}
	}
}

func onceTCP(src *net.TCPConn, s *Source, use func(b []byte) error) (int, error) {
	in, err := src.SyscallConn()
	if err != nil {
		return 0, err
	}
	var d direction
	if err := in.Read(d.fill); err != nil {
		return 0, err
	}
	switch {
	case d.err != nil:
		return 0, os.NewSyscallError("read", d.err)
	case d.n == 0:
		return 0, s.end(in)
	}
	s.received += uint64(d.n)
	defer d.release()
	return d.n, use(d.buffer[:d.n])
}
