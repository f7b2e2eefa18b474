package relay

import (
	"errors"
	"fmt"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// mostBroken is how many endpoints may fail in the middle of CONNECT before
// the destination is taken to be the cause.
const mostBroken = 3

// refusal is how one endpoint's CONNECT came to nothing.
type refusal struct {
	endpoint *pool.Endpoint
	asked    time.Time
	outcome  policy.Outcome
	reply    upstream.Reply
}

// answer is the refusal as an error, with the reply for the client.
func (r *refusal) answer() error {
	return fmt.Errorf("%s by %s: %w", r.outcome, r.endpoint.Name(), r.reply)
}

// failed takes a CONNECT that came to nothing. An error ends the race; nil means
// that another endpoint is being asked for a second opinion.
func (r *race) failed(a *attempt) error {
	outcome := outcomeOf(r.ctx, a.err)
	v := refusal{endpoint: a.endpoint, asked: a.request.asked, outcome: outcome, reply: upstream.GeneralFailure}
	switch outcome {
	case policy.None:
		return nil // the race is being cancelled
	case policy.Local:
		if errors.Is(a.err, upstream.ErrDestination) {
			return v.answer()
		}
	case policy.Refused:
		errors.As(a.err, &v.reply)
		if v.reply == upstream.ConnectionRefused || r.refused != nil {
			// The destination's own word, or the same from two endpoints.
			return v.answer()
		}
		r.refused = &v
		r.server.stats.secondOpinions.Add(1)
	default:
		if outcome == policy.Silent {
			a.endpoint.Report(policy.Evidence{Phase: policy.Request, Outcome: outcome, Asked: v.asked, At: time.Now()})
		}
		r.broken = append(r.broken, v)
		if len(r.broken) >= mostBroken {
			return v.answer()
		}
	}
	if r.needy() {
		r.next(1)
	}
	return nil
}

// granted tells the pool what the success through a means: for its endpoint,
// and for those that had failed before with the same request.
func (r *race) granted(a *attempt) {
	now := time.Now()
	a.endpoint.Report(policy.Evidence{
		Phase: policy.Request, Outcome: policy.Answered, Asked: a.request.asked, At: now, Took: now.Sub(a.request.asked),
	})
	if r.refused != nil {
		r.refused.blame(now)
	}
	for i := range r.broken {
		r.broken[i].blame(now)
	}
}

// blame reports the refusal, now that another endpoint has granted the request.
func (r *refusal) blame(now time.Time) {
	ev := policy.Evidence{Phase: policy.Request, Outcome: r.outcome, Asked: r.asked, At: now, Elsewhere: true}
	if r.outcome == policy.Refused {
		ev.Reply = uint8(r.reply)
	}
	r.endpoint.Report(ev)
}

// replyOf is the SOCKS5 reply for the client when its request failed: what the
// destination or the endpoints said, else a general failure.
func replyOf(err error) upstream.Reply {
	var reply upstream.Reply
	if errors.As(err, &reply) && reply != upstream.Succeeded {
		return reply
	}
	return upstream.GeneralFailure
}
