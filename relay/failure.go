package relay

import (
	"errors"
	"io"
	"syscall"
)

// A kernel tells a connection's failure once, to whoever reads or writes first:
// behind what had come in, the other finds what looks like a clean end. So what a
// write to the endpoint is told of is kept for the direction that reads there.

// hear notes what a write to the endpoint was told. EPIPE is no news: reading has
// been told, or the endpoint had ended its stream before. The caller holds mu.
func (t *stream) hear(err error) {
	if err != nil && t.failure == nil && !errors.Is(err, syscall.EPIPE) {
		t.failure = err
	}
}

// unmask is the true end of the endpoint's stream, given what reading has found.
func (t *stream) unmask(err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure != nil {
		return t.failure
	}
	return err
}
