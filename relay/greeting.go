package relay

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"slices"

	"github.com/armon/go-socks5"
)

// Errors of the handshake, for the debug log.
var (
	errVersion  = errors.New("not SOCKS5")
	errNoMethod = errors.New("no acceptable authentication method")
)

// pickMethod chooses the one method that go-socks5 gets to see. It would take
// the client's first acceptable one, and no authentication wherever it is
// offered; but a user name tells clients apart even where no password is
// needed.
func pickMethod(offered []byte, passwords bool) (byte, bool) {
	switch {
	case slices.Contains(offered, methodLogin):
		return methodLogin, true
	case !passwords && slices.Contains(offered, methodNone):
		return methodNone, true
	default:
		return methodNoneOK, false
	}
}

// greet reads the client's greeting and returns the greeting for go-socks5,
// which offers exactly one method.
func (s *session) greet() ([]byte, error) {
	b, err := s.frame(greetingLacks)
	if err != nil {
		return nil, err
	}
	if b[0] != socksVersion {
		return nil, errVersion
	}
	method, ok := pickMethod(b[2:], len(s.server.config.Users) > 0)
	if !ok {
		_, _ = s.client.Write([]byte{socksVersion, methodNoneOK})
		return nil, errNoMethod
	}
	return []byte{socksVersion, 1, method}, nil
}

// Valid implements socks5.CredentialStore for one session, and notes who the
// client is. Without users every password is right: the name is all that
// counts.
func (s *session) Valid(user, password string) bool {
	if users := s.server.config.Users; len(users) > 0 && !matches(users, user, password) {
		return false
	}
	if user != "" {
		s.name = user
	}
	return true
}

var _ socks5.CredentialStore = (*session)(nil)

// matches compares in a time that depends on neither password: sums of equal
// length are compared, and an unknown user costs as much as a known one.
func matches(users map[string]string, user, password string) bool {
	known, ok := users[user]
	want, got := sha256.Sum256([]byte(known)), sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && ok
}

// sourceOf names a client by where it comes from, without the port.
func sourceOf(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}
