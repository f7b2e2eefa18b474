package upstream

import (
	"context"
	"net"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Dialer reaches endpoints. The zero value is ready to use. It is safe for
// concurrent use.
type Dialer struct {
	// Dial makes TCP connections; nil is a net.Dialer. It must honour ctx.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// keepAlive is the default pace of keep-alive probes, on both sides of a
// stream: often enough to hold a NAT's entry for an idle stream (RFC 5382 asks
// for two hours, home routers give minutes).
const keepAlive = 15 * time.Second

// Connect makes a TCP connection to the endpoint, and tunes it ([Tune]). It
// has no time limit but ctx. Errors are of type *Error, with Op policy.Connect;
// if ctx ended it, errors.Is finds ctx's error in it.
func (d *Dialer) Connect(ctx context.Context, s policy.Spec) (net.Conn, error) {
	dial := d.Dial
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: keepAlive}).DialContext
	}
	c, err := dial(ctx, "tcp", s.Address())
	if err != nil {
		return nil, &Error{Op: policy.Connect, Endpoint: s.Name(), Err: preferContext(ctx, err)}
	}
	Tune(c)
	return c, nil
}
