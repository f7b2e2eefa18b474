//go:build !linux

package exit

import "net"

// mover returns what moves the next bytes from src to dst: it waits for some,
// and returns how many it has moved, or io.EOF.
func mover(dst, src net.Conn) func() (int64, error) {
	return generic(dst, src)
}
