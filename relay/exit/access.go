package exit

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/armon/go-socks5"
)

// validate finds what must not be served.
func (s *Server) validate(l net.Listener) error {
	var errs []error
	for user, password := range s.Users {
		if user == "" || len(user) > 255 || len(password) > 255 {
			errs = append(errs, fmt.Errorf("exit: user %q: name and password have 1 to 255 bytes (RFC 1929)", user))
		}
	}
	if !s.Open && !s.authenticates() && len(s.Clients) == 0 && !isLoopback(l.Addr()) {
		errs = append(errs, fmt.Errorf("exit: listen on %s: %w", l.Addr(), ErrOpen))
	}
	return errors.Join(errs...)
}

func isLoopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

func (s *Server) authenticates() bool { return s.Verify != nil || len(s.Users) > 0 }

// admits is whether a client at this address is served.
func (s *Server) admits(a net.Addr) bool {
	if len(s.Clients) == 0 {
		return true
	}
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return false
	}
	addr := t.AddrPort().Addr().Unmap().WithZone("")
	return containsAny(s.Clients, addr)
}

func containsAny(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// method is the one authentication method that is offered. With two of them
// go-socks5 would leave the choice to the client.
func (s *Server) method() socks5.Authenticator {
	if s.authenticates() {
		return socks5.UserPassAuthenticator{Credentials: credentials{s}}
	}
	return socks5.NoAuthAuthenticator{}
}

// credentials implements socks5.CredentialStore for a server's users.
type credentials struct{ s *Server }

var _ socks5.CredentialStore = credentials{}

// Valid takes as long for an unknown user as for a wrong password: both are
// hashed, so that neither length nor content shows.
func (c credentials) Valid(user, password string) bool {
	if c.s.Verify != nil {
		return c.s.Verify(user, password)
	}
	want, known := c.s.Users[user]
	a, b := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && known
}
