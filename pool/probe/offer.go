package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// The bytes of RFC 1928, section 3.
const (
	version        = 5
	methodNone     = 0
	methodPassword = 2
)

// reach asks an endpoint for another one, and greets that through it: CONNECT,
// and the offer of methods. Nothing else is sent, credentials above all. moves is
// called as soon as CONNECT is granted. It uses up the session, and has closed its
// connection when it returns.
//
// The outcome is Answered if a method was chosen or all were refused, Garbage if
// something else came, Refused with a reply if the session's endpoint did not
// connect, Silent if ctx came to its deadline, None if it was cancelled. The phase
// is Request as long as what is seen is the session's endpoint, and then Greeting.
func reach(ctx context.Context, session *upstream.Session, to policy.Spec, moves func()) (policy.Phase, policy.Outcome, error) {
	c, err := session.Request(ctx, to.Address())
	if err != nil {
		return policy.Request, upstream.Classify(err), err
	}
	moves()
	defer func() { _ = c.Close() }()
	defer onEnd(ctx, func() { _ = c.SetDeadline(past) })()
	if err = offer(c, to); err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		err = &upstream.Error{Op: policy.Greeting, Endpoint: to.Name(), Err: err}
	}
	return policy.Greeting, upstream.Classify(err), err
}

// offer greets an endpoint with the methods that its Spec allows, and reads which
// of them it chooses.
func offer(c net.Conn, s policy.Spec) error {
	methods := []byte{version, 1, methodNone}
	if s.User != "" {
		methods = []byte{version, 2, methodNone, methodPassword}
	}
	if _, err := c.Write(methods); err != nil {
		return err
	}
	var choice [2]byte
	if _, err := io.ReadFull(c, choice[:]); err != nil {
		return err
	}
	if choice[0] != version {
		return fmt.Errorf("%w: it begins with %d", upstream.ErrProtocol, choice[0])
	}
	return nil
}

// reply is the reply code in an error; zero if there is none.
func reply(err error) uint8 {
	if r, ok := errors.AsType[upstream.Reply](err); ok {
		return uint8(r)
	}
	return 0
}
