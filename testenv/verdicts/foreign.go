package verdicts

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
)

var errForeign = errors.New("verdicts: no SOCKS5 that this endpoint speaks")

// foreign is a SOCKS5 server (RFC 1928) that is not our own program: it asks for
// a password, takes any, connects, and knows no reserved names.
func foreign(h *testenv.Host) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReaderSize(c, 4<<10)
		to, err := admit(r, c)
		if err != nil {
			return
		}
		far, err := h.DialContext(context.Background(), "tcp", to)
		if err != nil {
			_, _ = c.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		defer far.Close()
		if _, err := c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}); err != nil {
			return
		}
		up := make(chan struct{})
		go func() {
			defer close(up)
			_, _ = io.Copy(far, r)
			hangUp(far)
		}()
		_, _ = io.Copy(c, far)
		hangUp(c)
		_ = c.SetReadDeadline(time.Unix(1, 0))
		<-up
	}
}

// muted lets everybody in, reads the request, and never answers it.
func muted(c net.Conn) {
	r := bufio.NewReaderSize(c, 4<<10)
	if _, err := admit(r, c); err == nil {
		_, _ = io.Copy(io.Discard, r)
	}
}

// admit plays the server's part until the request is read, and returns what to
// connect to.
func admit(r *bufio.Reader, w io.Writer) (string, error) {
	field := func() ([]byte, error) { // a length, and that many bytes
		n, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		b := make([]byte, n)
		_, err = io.ReadFull(r, b)
		return b, err
	}
	skip := func(n int) error {
		_, err := r.Discard(n)
		return err
	}
	if err := skip(1); err != nil {
		return "", err
	}
	if _, err := field(); err != nil { // the methods offered
		return "", err
	}
	if _, err := w.Write([]byte{5, 2}); err != nil {
		return "", err
	}
	if err := skip(1); err != nil {
		return "", err
	}
	for range 2 { // user and password
		if _, err := field(); err != nil {
			return "", err
		}
	}
	if _, err := w.Write([]byte{1, 0}); err != nil {
		return "", err
	}
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	var host string
	switch head[3] {
	case 1, 4:
		b := make([]byte, map[byte]int{1: 4, 4: 16}[head[3]])
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		a, _ := netip.AddrFromSlice(b)
		host = a.String()
	case 3:
		b, err := field()
		if err != nil {
			return "", err
		}
		host = string(b)
	default:
		return "", errForeign
	}
	var port [2]byte
	if _, err := io.ReadFull(r, port[:]); err != nil {
		return "", err
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port[0])<<8|int(port[1]))), nil
}

func hangUp(c net.Conn) {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
	}
}
