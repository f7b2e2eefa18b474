package testenv

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"
)

// The reply codes of RFC 1928, section 6, that tell of an egress that is dead.
const (
	ReplyFailure            byte = 1
	ReplyNetworkUnreachable byte = 3
	ReplyHostUnreachable    byte = 4
)

const replyGranted byte = 0

// Refuse is a SOCKS5 server that lets everybody in and answers every request
// with the given reply code (RFC 1928, section 6) at once.
func Refuse(reply byte) func(net.Conn) { return NoEgress(reply, 0) }

// NoEgress is a SOCKS5 server that lets everybody in and reaches nothing: after
// a moment it answers every request with the given reply code, of which 1, 3
// and 4 are usual.
func NoEgress(reply byte, after time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		if letIn(c, nil) && request(c) && stays(c, after) {
			answer(c, reply)
		}
	}
}

// stays reports whether the client is still there after d.
func stays(c net.Conn, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	_ = c.SetReadDeadline(time.Now().Add(d))
	_, err := io.Copy(io.Discard, c)
	_ = c.SetReadDeadline(time.Time{})
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// GrantAndClose is a SOCKS5 server that lets everybody in, grants every
// request, and closes at once without having sent a byte.
func GrantAndClose(c net.Conn) {
	if letIn(c, nil) && request(c) {
		answer(c, replyGranted)
	}
}

// Forward is a SOCKS5 server that is not our own program: it asks for a password if
// the client offers one, takes any, connects from h, and knows no reserved names.
func Forward(h *Host) func(net.Conn) {
	return func(c net.Conn) {
		if !letIn(c, nil) {
			return
		}
		to, ok := destination(c)
		if !ok {
			return
		}
		far, err := h.DialContext(context.Background(), "tcp", to)
		if err != nil {
			answer(c, ReplyHostUnreachable)
			return
		}
		defer far.Close()
		if !answer(c, replyGranted) {
			return
		}
		up := make(chan struct{})
		go func() {
			defer close(up)
			_, _ = io.Copy(far, c)
			hangUp(far)
		}()
		_, _ = io.Copy(c, far)
		hangUp(c)
		_ = c.SetReadDeadline(time.Unix(1, 0))
		<-up
	}
}

// Mute is a SOCKS5 server that lets everybody in, reads the request, and never
// answers it.
func Mute(c net.Conn) {
	if letIn(c, nil) && request(c) {
		_, _ = io.Copy(io.Discard, c)
	}
}

// hangUp ends what is sent, and no more.
func hangUp(c net.Conn) {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
	}
}

// AnotherPassword is a SOCKS5 server that demands user name and password
// (RFC 1929), and accepts no others than these. Whoever has the right ones is
// granted every request, and gets back what he sends.
func AnotherPassword(user, password string) func(net.Conn) {
	return func(c net.Conn) {
		if letIn(c, &credentials{user, password}) && request(c) && answer(c, replyGranted) {
			Echo(c)
		}
	}
}

type credentials struct{ user, password string }

func (w *credentials) match(user, password []byte) bool {
	return w == nil || subtle.ConstantTimeCompare([]byte(w.user), user)&
		subtle.ConstantTimeCompare([]byte(w.password), password) == 1
}

// letIn takes part in the negotiation, and reports whether the client is let
// in. If want is nil everybody is, with a password if the client offers one;
// else a password is demanded.
func letIn(c net.Conn, want *credentials) bool {
	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil || head[0] != 5 {
		return false
	}
	methods := make([]byte, head[1])
	if _, err := io.ReadFull(c, methods); err != nil {
		return false
	}
	var method byte
	for _, m := range methods {
		if m == 2 {
			method = m
		}
	}
	if want != nil && method == 0 {
		_, _ = c.Write([]byte{5, 0xff})
		return false
	}
	if _, err := c.Write([]byte{5, method}); err != nil {
		return false
	}
	if method == 0 {
		return true
	}
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return false
	}
	user := make([]byte, int(head[1])+1) // and the length of the password
	if _, err := io.ReadFull(c, user); err != nil {
		return false
	}
	password := make([]byte, user[head[1]])
	if _, err := io.ReadFull(c, password); err != nil {
		return false
	}
	if !want.match(user[:head[1]], password) {
		_, _ = c.Write([]byte{1, 1})
		return false
	}
	_, err := c.Write([]byte{1, 0})
	return err == nil
}

// request reads a request of whatever kind, and reports whether it was one.
func request(c net.Conn) bool {
	_, ok := destination(c)
	return ok
}

// destination reads a request, and returns the host and port that it asks for.
func destination(c net.Conn) (string, bool) {
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return "", false
	}
	n := map[byte]int{1: 4, 4: 16}[head[3]]
	if head[3] == 3 {
		var length [1]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return "", false
		}
		n = int(length[0])
	}
	rest := make([]byte, n+2) // and the port
	if _, err := io.ReadFull(c, rest); err != nil {
		return "", false
	}
	host := string(rest[:n])
	if a, ok := netip.AddrFromSlice(rest[:n]); ok && head[3] != 3 {
		host = a.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(rest[n])<<8|int(rest[n+1]))), true
}

// answer replies to a request, and reports whether that could be sent.
func answer(c net.Conn, reply byte) bool {
	_, err := c.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
	return err == nil
}
