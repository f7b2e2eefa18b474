package pump

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Lot waits for many connections at rest at once, so that none of them needs a
// goroutine for it: that would cost 2.5 KB at least, and 4.5 KB once it has
// moved anything. It has an epoll instance of its own beside that of the
// runtime, with which the connections stay registered as they are. It is safe
// for concurrent use.
type Lot struct {
	// Go starts the one goroutine that waits, when the first connection is
	// parked. It ends with Close.
	Go func(func())

	mu     sync.Mutex
	epoll  *os.File // nil: nothing has been parked yet
	raw    syscall.RawConn
	spots  map[uint64]*Spot
	last   uint64
	closed bool
}

// Parks reports whether c can be parked.
func Parks(c net.Conn) bool {
	_, ok := c.(*net.TCPConn)
	return ok
}

// Park has resume called once c can be read. It is nil if that cannot be had,
// because c is not the kernel's, or after Close: the caller then waits by
// itself. If c is closed meanwhile nobody notices: whoever closes it wakes the
// spot.
func (l *Lot) Park(c net.Conn, resume func()) *Spot {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	conn, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.open() != nil {
		return nil
	}
	l.last++
	s := &Spot{lot: l, resume: resume, token: l.last}
	l.spots[s.token] = s
	var armed error
	if err := conn.Control(func(fd uintptr) { armed = l.arm(int(fd), s.token) }); err != nil || armed != nil {
		delete(l.spots, s.token)
		return nil
	}
	return s
}

// open makes the epoll instance, unless there is one. The lock is held.
func (l *Lot) open() error {
	if l.epoll != nil {
		return nil
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	// An epoll instance can be polled itself: the runtime's poller waits for it,
	// and no thread is blocked.
	_ = unix.SetNonblock(fd, true)
	f := os.NewFile(uintptr(fd), "epoll")
	raw, err := f.SyscallConn()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.epoll, l.raw, l.spots = f, raw, make(map[uint64]*Spot)
	l.Go(l.run)
	return nil
}

// arm has one event reported for fd, and no more until it is armed again. What
// has been parked before is still registered. The lock is held.
func (l *Lot) arm(fd int, token uint64) error {
	ev := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT,
		Fd:     int32(uint32(token)), Pad: int32(uint32(token >> 32)), // given back with the event
	}
	var failed error
	err := l.raw.Control(func(epoll uintptr) {
		failed = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_MOD, fd, &ev)
		if errors.Is(failed, unix.ENOENT) {
			failed = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, fd, &ev)
		}
	})
	return errors.Join(err, failed)
}

// resume takes a spot out, if it is there, and has it go on.
func (l *Lot) resume(token uint64) {
	l.mu.Lock()
	s := l.spots[token]
	delete(l.spots, token)
	l.mu.Unlock()
	if s != nil {
		go s.resume()
	}
}

// run waits for the parked until Close.
func (l *Lot) run() {
	events := make([]unix.EpollEvent, 128)
	n := 0
	ready := func(fd uintptr) bool {
		for {
			var err error
			if n, err = unix.EpollWait(int(fd), events, 0); !errors.Is(err, unix.EINTR) {
				return n != 0
			}
		}
	}
	for l.raw.Read(ready) == nil && n > 0 {
		for _, ev := range events[:n] {
			l.resume(uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32)
		}
	}
	l.mu.Lock()
	l.closed = true
	spots := l.spots
	l.spots = nil
	l.mu.Unlock()
	for _, s := range spots {
		go s.resume()
	}
}

// Close has all who are parked go on. Nothing can be parked any more.
func (l *Lot) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.epoll != nil {
		_ = l.epoll.Close()
	}
}
