package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// patience bounds every single wait of the client's: one that runs into it is a
// failure of the contender.
const patience = 30 * time.Second

// client opens streams through a contender.
type client struct {
	via   netip.AddrPort
	ports Ports
}

var greeting = []byte{5, 1, 0}

// open returns a stream to a service. It has no deadline any more.
func (c client) open(ctx context.Context, to Service) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: patience}
	raw, err := d.DialContext(ctx, "tcp", c.via.String())
	if err != nil {
		return nil, err
	}
	conn := raw.(*net.TCPConn)
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := negotiate(conn, c.ports.Services[to]); err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return conn, nil
}

// negotiate asks a SOCKS5 server for a destination.
func negotiate(conn io.ReadWriter, to netip.AddrPort) error {
	var b [22]byte
	if _, err := conn.Write(greeting); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, b[:2]); err != nil {
		return fmt.Errorf("no answer to the greeting: %w", err)
	}
	if b[0] != 5 || b[1] != 0 {
		return fmt.Errorf("the greeting was answered with % x", b[:2])
	}
	request := append(b[:0], 5, 1, 0, 1)
	request = append(request, to.Addr().AsSlice()...)
	request = append(request, byte(to.Port()>>8), byte(to.Port()))
	if _, err := conn.Write(request); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, b[:10]); err != nil {
		return fmt.Errorf("no answer to CONNECT: %w", err)
	}
	if b[1] != 0 {
		return fmt.Errorf("CONNECT was answered with reply %d", b[1])
	}
	// Dante tells its own address, which may be one of 16 bytes.
	if b[3] == 4 {
		if _, err := io.ReadFull(conn, b[10:22]); err != nil {
			return err
		}
	}
	return nil
}

var errEcho = errors.New("what came back is not what was sent")

// ping sends a byte there and back.
func ping(conn *net.TCPConn) error {
	_ = conn.SetDeadline(time.Now().Add(patience))
	var b [1]byte
	b[0] = 'x'
	if _, err := conn.Write(b[:]); err != nil {
		return err
	}
	b[0] = 0
	if _, err := io.ReadFull(conn, b[:]); err != nil {
		return fmt.Errorf("no byte came back: %w", err)
	}
	if b[0] != 'x' {
		return errEcho
	}
	return nil
}

// abort ends a stream with RST, so that nothing of it stays with the kernel.
func abort(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}
