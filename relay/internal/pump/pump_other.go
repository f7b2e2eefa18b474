//go:build !linux

package pump

import (
	"io"
	"net"
)

// runTCP copies. The source's own WriteTo would hide when it waits and when it
// writes.
func runTCP(dst net.Conn, src *net.TCPConn, _ *Source, m Meter) (readErr, writeErr error) {
	return runAny(dst, reader{src}, m)
}

// reader is a connection without WriteTo.
type reader struct{ net.Conn }

var _ io.Reader = reader{}

func onceTCP(src *net.TCPConn, _ *Source, use func(b []byte) error) (int, error) {
	return onceAny(src, use)
}

func (s *Source) watch(*net.TCPConn) {}
