//go:build !linux

package guest

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
)

// Process is a program that has been started.
type Process struct{ ended chan struct{} }

// Main must be called first in the main function of a program that uses Start.
func Main() {}

// Start fails: it needs Linux.
func Start(Program, func(*exec.Cmd) error) (*Process, error) {
	return nil, fmt.Errorf("guest: running a program needs Linux: %w", errors.ErrUnsupported)
}

// Wait waits for the program's end and returns its exit status, or 128 and the
// number of the signal that has ended it.
func (q *Process) Wait() int {
	<-q.ended
	return StatusNotExecutable
}

// Ended is closed when the program has ended.
func (q *Process) Ended() <-chan struct{} { return q.ended }

// Signal sends the program a signal. It does nothing if the program has ended.
func (*Process) Signal(syscall.Signal) {}

// Kill ends the program, and all that it has started, at once.
func (*Process) Kill() {}
