package relay

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// Config is what a [Server] needs. Only Pool has no usable zero value.
type Config struct {
	// Pool gives the endpoints and takes the evidence. Its Run must be running
	// elsewhere; the Server does not start or stop it.
	Pool *pool.Pool

	// Upstream dials endpoints. Nil means a Dialer on the host's own network.
	Upstream *upstream.Dialer

	// Users holds the password of each user who may connect. If it is empty,
	// nobody needs a password, a user name (with any password) merely tells
	// clients apart, and only listeners on loopback are served.
	Users map[string]string

	// Patience bounds how long a request may wait for an endpoint, from the
	// moment it is read, and again each time that its first flight has to move.
	// Zero means 30 s.
	Patience time.Duration

	// HandshakeTimeout bounds the client's greeting, authentication and
	// request together. Zero means 10 s.
	HandshakeTimeout time.Duration

	// MaxClients bounds the client connections open at once. Up to 256 above it
	// are answered with a general failure, further ones are reset. Zero means
	// what MostClients says when the Server is made.
	MaxClients int

	// Warm is how many connections are kept ready for each active endpoint that
	// clients ask for: open, authenticated, and two or three round trips nearer to
	// a request's first byte. An endpoint that nobody asks for has none. Zero
	// means 2; a negative number means none at all.
	Warm int

	// Replay says which first flights may be sent again through another
	// endpoint. The zero value is [Safe].
	Replay Replay

	// Evidence, if not nil, is told all that the pool is told of its endpoints, and
	// before it. It is called from many goroutines, and must not wait.
	Evidence func(*pool.Endpoint, policy.Evidence)

	// Seed makes the jitter of retries repeatable. Any value will do.
	Seed uint64

	// Logger receives one line per ended stream at info, and destinations at
	// debug only. Nil means silence.
	Logger *slog.Logger
}

// The defaults of Config.
const (
	DefaultPatience         = 30 * time.Second
	DefaultHandshakeTimeout = 10 * time.Second
	DefaultWarm             = 2
)

// Validate reports everything that is wrong with c, joined.
func (c Config) Validate() error {
	var errs []error
	if c.Pool == nil {
		errs = append(errs, errors.New("relay: no pool"))
	}
	if c.Patience < 0 {
		errs = append(errs, fmt.Errorf("relay: patience %v is negative", c.Patience))
	}
	if c.HandshakeTimeout < 0 {
		errs = append(errs, fmt.Errorf("relay: handshake timeout %v is negative", c.HandshakeTimeout))
	}
	if c.MaxClients < 0 {
		errs = append(errs, fmt.Errorf("relay: a limit of %d clients is negative", c.MaxClients))
	}
	if c.Replay > Never {
		errs = append(errs, fmt.Errorf("relay: unknown replay policy %d", c.Replay))
	}
	for user, password := range c.Users {
		// RFC 1929 gives both one length byte; a longer one could never match.
		if user == "" || len(user) > 255 {
			errs = append(errs, fmt.Errorf("relay: a user name has %d bytes, want 1 to 255", len(user)))
		}
		if password == "" || len(password) > 255 {
			errs = append(errs, fmt.Errorf("relay: the password of user %q has %d bytes, want 1 to 255", user, len(password)))
		}
	}
	return errors.Join(errs...)
}

// withDefaults is c with every zero value replaced by what it stands for.
func (c Config) withDefaults() Config {
	if c.Upstream == nil {
		c.Upstream = &upstream.Dialer{}
	}
	if c.Patience == 0 {
		c.Patience = DefaultPatience
	}
	if c.HandshakeTimeout == 0 {
		c.HandshakeTimeout = DefaultHandshakeTimeout
	}
	if c.MaxClients == 0 {
		c.MaxClients = MostClients()
	}
	if c.Warm == 0 {
		c.Warm = DefaultWarm
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
