package testenv

import "strings"

// Named is the destination of a name, or nil if there is none.
func (w *World) Named(name string) *Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.destinations[strings.ToLower(name)]
}
