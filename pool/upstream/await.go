package upstream

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// vigil is what Await and Rouse share.
type vigil struct {
	mu     sync.Mutex
	roused bool
	over   chan struct{} // not nil while Await reads; closed at its end
	err    error         // how the endpoint has ended the session
}

// past is a deadline that ends I/O at once.
var past = time.Unix(1, 0)

// Await waits for the endpoint to end a session that is being kept for later,
// and returns how: io.EOF, a reset, or ErrProtocol if it speaks without having
// been asked. It returns nil once Rouse has been called, and
// os.ErrDeadlineExceeded, as it is, at the given time; it may then be called
// again. After Close the error is net.ErrClosed. No more than one call may run
// at a time.
func (s *Session) Await(until time.Time) error {
	v := &s.vigil
	v.mu.Lock()
	if v.roused || v.err != nil {
		defer v.mu.Unlock()
		return v.err
	}
	v.over = make(chan struct{})
	_ = s.conn.SetReadDeadline(until)
	v.mu.Unlock()

	var b [1]byte
	n, err := s.conn.Read(b[:])

	v.mu.Lock()
	defer v.mu.Unlock()
	close(v.over)
	v.over = nil
	switch {
	case n > 0:
		v.err = fmt.Errorf("%w: it speaks before it is asked", ErrProtocol)
	case !errors.Is(err, os.ErrDeadlineExceeded):
		v.err = err
	case !v.roused:
		return os.ErrDeadlineExceeded
	default:
		_ = s.conn.SetReadDeadline(time.Time{})
	}
	return v.err
}

// Rouse ends Await for good and waits until it has returned, which needs no
// answer from the endpoint. It returns nil if the session is ready for Request,
// or what Await has seen of its end; that the endpoint's end is on its way shows
// only in Request.
func (s *Session) Rouse() error {
	v := &s.vigil
	v.mu.Lock()
	v.roused = true
	over := v.over
	if over != nil {
		_ = s.conn.SetReadDeadline(past)
	} else if v.err == nil {
		// The deadline of an earlier Await.
		_ = s.conn.SetReadDeadline(time.Time{})
	}
	v.mu.Unlock()
	if over != nil {
		<-over
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.err
}
