package upstream

import (
	"context"
	"net"
	"net/netip"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Dialer reaches endpoints. The zero value is ready to use. It is safe for
// concurrent use.
type Dialer struct {
	// Dial makes TCP connections; nil is a net.Dialer. It must honour ctx.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Connect makes a TCP connection to the endpoint. Unless Dial does so it sets
// no options: most connections end within a second, and each option is a system
// call. What lasts wants [Tune] and [KeepAlive]. It has no time limit but ctx.
// Errors are of type *Error, with Op policy.Connect; if ctx ended it, errors.Is
// finds ctx's error in it.
func (d *Dialer) Connect(ctx context.Context, s policy.Spec) (net.Conn, error) {
	c, err := d.dial(ctx, s)
	if err != nil {
		return nil, &Error{Op: policy.Connect, Endpoint: s.Name(), Err: preferContext(ctx, err)}
	}
	return c, nil
}

// plain is a dialer that sets no options.
var plain = net.Dialer{KeepAlive: -1}

func (d *Dialer) dial(ctx context.Context, s policy.Spec) (net.Conn, error) {
	switch {
	case d.Dial != nil:
		return d.Dial(ctx, "tcp", s.Address())
	case !s.Addr.IsValid():
		return plain.DialContext(ctx, "tcp", s.Address())
	}
	// An address needs no resolver.
	c, err := plain.DialTCP(ctx, "tcp", netip.AddrPort{}, netip.AddrPortFrom(s.Addr, s.Port))
	if err != nil {
		return nil, err // not a nil *net.TCPConn
	}
	return c, nil
}
