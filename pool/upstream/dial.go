package upstream

import (
	"context"
	"net"

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
	dial := d.Dial
	if dial == nil {
		// Not DialTCP, which would bind first, and so need a port of its own for
		// each connection whatever the endpoint.
		dial = (&net.Dialer{KeepAlive: -1}).DialContext
	}
	c, err := dial(ctx, "tcp", s.Address())
	if err != nil {
		return nil, &Error{Op: policy.Connect, Endpoint: s.Name(), Err: preferContext(ctx, err)}
	}
	return c, nil
}
