//go:build !linux

package pump

import "net"

// Lot waits for connections at rest. Here it cannot: a goroutine waits for each.
type Lot struct{ Go func(func()) }

// Parks is always false.
func Parks(net.Conn) bool { return false }

// Park is always nil: the caller waits by itself.
func (l *Lot) Park(net.Conn, func()) *Spot { return nil }

func (l *Lot) resume(uint64) {}

// Close does nothing.
func (l *Lot) Close() {}
