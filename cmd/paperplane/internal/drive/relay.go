//go:build unix

package drive

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// Relay is a relay as its clients know it.
type Relay struct {
	// Addr is its host:port.
	Addr string
	// Dial is how they connect to it; nil means net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// greet connects to the relay as a client of the given name. It is two steps
// short of a destination, of which the relay knows nothing yet. The connection
// has the deadline.
func (r Relay) greet(client string, until time.Time) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	dial := r.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	c, err := dial(ctx, "tcp", r.Addr)
	if err != nil {
		return nil, err
	}
	if err = c.SetDeadline(until); err == nil {
		err = greet(c, client)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// greet offers a user name and a password, RFC 1928 and 1929.
func greet(c net.Conn, user string) error {
	if err := exchange(c, []byte{5, 1, 2}, []byte{5, 2}); err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	login := append([]byte{1, byte(len(user))}, user...)
	if err := exchange(c, append(login, 1, 'x'), []byte{1, 0}); err != nil {
		return fmt.Errorf("login: %w", err)
	}
	return nil
}

// connect asks for a destination, RFC 1928, section 4.
func connect(c net.Conn, destination string) error {
	host, service, err := net.SplitHostPort(destination)
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return err
	}
	request := []byte{5, 1, 0}
	if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
		request = append(append(request, 1), a.AsSlice()...)
	} else {
		request = append(append(request, 3, byte(len(host))), host...)
	}
	// It is granted in the name of no address: see the relay.
	if err := exchange(c, binary.BigEndian.AppendUint16(request, uint16(port)), []byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}); err != nil {
		return fmt.Errorf("CONNECT %s: %w", destination, err)
	}
	return nil
}

// exchange says something and wants to hear something.
func exchange(c net.Conn, say, want []byte) error {
	if _, err := c.Write(say); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil && n < 2 {
		return err
	}
	if string(got) != string(want) {
		return fmt.Errorf("answer % x, want % x", got, want)
	}
	return nil
}
