package probe

import (
	"context"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// egressSilence, or eight round trips if they are more, is how long an endpoint
// may take until it has reached another and that one has answered through it: time
// for the other's address to be dialled twice (RFC 6298: the second SYN comes
// after 1 s).
const egressSilence = 2 * time.Second

// egress reaches another endpoint through the examined one, and puts into x what
// came of it.
func (c *carriage) egress(ctx context.Context, other policy.Spec, x *policy.Examination) error {
	session, err := c.tries.next(ctx)
	if err != nil {
		return nil // of the endpoint itself the tries tell
	}
	ctx, cancel := context.WithTimeout(ctx, max(egressSilence, 8*c.route.rtt))
	defer cancel()
	_, x.Egress, err = reach(ctx, session, other, func() {})
	x.EgressReply = reply(err)
	return err
}
