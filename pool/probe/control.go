package probe

import (
	"context"
	"net/netip"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// Control is a host outside of the pool that shows whether our own network works
// (a pool.Control). The choice is the user's: something that the blocker does
// not touch and where a connection gives nothing away, on the internet. It is
// safe for concurrent use.
type Control struct {
	// Address is what to connect to. It is no name: names cannot be resolved
	// when it matters.
	Address netip.AddrPort
	// Upstream makes the connection; nil is the zero Dialer.
	Upstream *upstream.Dialer
}

// Reach makes a TCP connection and closes it again; nothing is said on it. It
// returns nil if the handshake was completed: a refusal shows only that
// something on the way refuses, which may be a gateway whose uplink is down.
func (c Control) Reach(ctx context.Context) error {
	d := c.Upstream
	if d == nil {
		d = &upstream.Dialer{}
	}
	conn, err := d.Connect(ctx, policy.Spec{Host: c.Address.Addr().String(), Addr: c.Address.Addr(), Port: c.Address.Port()})
	if err != nil {
		return err
	}
	return conn.Close()
}
