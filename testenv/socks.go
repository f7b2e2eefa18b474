package testenv

import (
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"os"
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
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return false
	}
	rest := map[byte]int{1: 4, 4: 16}[head[3]]
	if head[3] == 3 {
		var n [1]byte
		if _, err := io.ReadFull(c, n[:]); err != nil {
			return false
		}
		rest = int(n[0])
	}
	_, err := io.CopyN(io.Discard, c, int64(rest)+2)
	return err == nil
}

// answer replies to a request, and reports whether that could be sent.
func answer(c net.Conn, reply byte) bool {
	_, err := c.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
	return err == nil
}
