package kernel

import (
	"sync"
	"sync/atomic"
)

// gate is what the calls of a process that hangs wait at. The zero value is
// open. A closed channel lets one call pass a gate that is shut.
type gate struct {
	waiting atomic.Pointer[chan struct{}] // nil: open

	mu   sync.Mutex
	ends []func()
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting.Load() == nil {
		c := make(chan struct{})
		g.waiting.Store(&c)
	}
}

// open lets all calls go on, and returns what was put off.
func (g *gate) open() []func() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.waiting.Swap(nil); c != nil {
		close(*c)
	}
	ends := g.ends
	g.ends = nil
	return ends
}

// pass waits until the gate is open.
func (g *gate) pass(closed <-chan struct{}) {
	if c := g.waiting.Load(); c != nil {
		select {
		case <-*c:
		case <-closed:
		}
	}
}

// putOff keeps f until the gate opens, if it is shut, and reports whether.
func (g *gate) putOff(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting.Load() == nil {
		return false
	}
	g.ends = append(g.ends, f)
	return true
}
