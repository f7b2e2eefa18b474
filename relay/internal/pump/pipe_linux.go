package pump

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// mostPipes pipes of pipeSize are 8,192 pages, half of what an ordinary user
	// has for all pipes (/proc/sys/fs/pipe-user-pages-soft). Where that is too
	// much, because another process holds pipes, a smaller one has to do.
	// Measured with eight streams and 1,000 idle ones: 0.39 s of CPU time per GB
	// with 1 MiB, 0.44 with 512 KiB, 0.46 with 256 KiB; with one stream 0.48,
	// 0.53 and 0.59.
	mostPipes = 32
	pipeSize  = 1 << 20
	smallPipe = 256 << 10
	// leastPipe is the smallest pipe worth having: the kernel's default.
	leastPipe = 64 << 10
	// poorFor is how long no pipe is asked for after one was refused, or given
	// too small.
	poorFor = time.Second
)

// pipe is what bytes are spliced through: first into it, then out of it.
type pipe struct {
	r, w int
	held int // bytes in it
}

func (p *pipe) close() {
	_ = unix.Close(p.r)
	_ = unix.Close(p.w)
}

// pipes are shared by all directions of the process, since what they are bounded
// by is the user's. The last one given back is the first to be taken, for its
// pages are still in the cache.
var pipes pipeStore

type pipeStore struct {
	mu   sync.Mutex
	free []*pipe
	made int
	poor atomic.Int64 // until when none is made, in Unix nanoseconds
}

// take is an empty pipe, or nil if there is none to be had just now.
func (s *pipeStore) take() *pipe {
	s.mu.Lock()
	if n := len(s.free); n > 0 {
		p := s.free[n-1]
		s.free = s.free[:n-1]
		s.mu.Unlock()
		return p
	}
	if s.made >= mostPipes || s.poor.Load() > time.Now().UnixNano() {
		s.mu.Unlock()
		return nil
	}
	s.made++
	s.mu.Unlock()
	p := newPipe()
	if p == nil {
		s.poor.Store(time.Now().Add(poorFor).UnixNano())
		s.forget()
	}
	return p
}

// give takes p back. One that still holds bytes is of no use to anybody.
func (s *pipeStore) give(p *pipe) {
	if p.held > 0 {
		p.close()
		s.forget()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, p)
}

func (s *pipeStore) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made--
}

// newPipe is nil if the kernel gives none, for want of descriptors, or only one
// too small, for want of pages.
func newPipe() *pipe {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil
	}
	p := &pipe{r: fds[0], w: fds[1]}
	if _, err := unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, pipeSize); err != nil {
		_, _ = unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, smallPipe)
	}
	if size, err := unix.FcntlInt(uintptr(p.w), unix.F_GETPIPE_SZ, 0); err != nil || size < leastPipe {
		p.close()
		return nil
	}
	return p
}
