//go:build !linux

package relay

import "net"

func pumpTCP(dst, src *net.TCPConn, m *meter) (readErr, writeErr error) {
	return pumpAny(dst, src, m)
}
