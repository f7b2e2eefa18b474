package relay

import (
	"errors"
	"fmt"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// mostBroken is how many endpoints that still answer may fail in the middle of
// CONNECT before the destination is taken to be the cause.
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
	a.request.failed = true
	v := refusal{endpoint: a.endpoint, asked: a.request.asked, outcome: a.outcome, reply: upstream.GeneralFailure}
	switch a.outcome {
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
			r.tellRefusal(&v, time.Now(), false)
			return r.refuse(&v)
		}
		r.refused = &v
		r.server.stats.secondOpinions.Add(1)
	default:
		if a.outcome == policy.Silent {
			r.tellRequest(a.endpoint, policy.Evidence{Outcome: a.outcome, Asked: v.asked, At: time.Now()})
		}
		r.broken = append(r.broken, v)
	}
	if r.needy() {
		r.next(1)
	}
	return nil
}

// broke reports whether a's CONNECT ended without an answer, which may be the
// destination's doing or not.
func (a *attempt) broke() bool {
	return a.err != nil && a.outcome != policy.Refused && ambiguous(a.outcome)
}

// isSound takes an endpoint that has failed in the middle of CONNECT and answers
// nevertheless. An error ends the race. One that does not answer was lost under
// the request, and does not count.
func (r *race) isSound(a *attempt) error {
	if r.sound++; r.sound < mostBroken {
		return nil
	}
	v := refusal{endpoint: a.endpoint, outcome: a.outcome, reply: upstream.GeneralFailure}
	return v.answer()
}

// granted tells the pool what the success through a means: for its endpoint,
// and for those that had failed before with the same request.
func (r *race) granted(a *attempt) {
	now := time.Now()
	r.tellRequest(a.endpoint, policy.Evidence{
		Outcome: policy.Answered, Asked: a.request.asked, At: now, Took: now.Sub(a.request.asked),
	})
	if r.refused != nil {
		r.tellRefusal(r.refused, now, true)
	}
	for i := range r.broken {
		r.tellRefusal(&r.broken[i], now, true)
	}
	for _, b := range r.running {
		// It was asked before the one that has granted, and is silent yet. Once
		// that is chance; time and again it has no way out.
		if asked := b.request.asked; !asked.IsZero() && b.endpoint != a.endpoint && now.Sub(asked) >= policy.ShortestSilence {
			r.tellRequest(b.endpoint, policy.Evidence{Outcome: policy.Overdue, Asked: asked, At: now, Elsewhere: true})
		}
	}
}

// refuse ends the race with a refusal, which stands. The first one, if there is
// another, stands as well: whoever refuses every destination is not to pass for
// the bearer of their answers, whatever the reply.
func (r *race) refuse(v *refusal) error {
	if r.refused != nil {
		r.tellRefusal(r.refused, time.Now(), false)
	}
	return v.answer()
}

// tellRefusal reports a refusal, elsewhere if another endpoint has granted the
// request since.
func (r *race) tellRefusal(v *refusal, now time.Time, elsewhere bool) {
	ev := policy.Evidence{Outcome: v.outcome, Asked: v.asked, At: now, Elsewhere: elsewhere}
	if v.outcome == policy.Refused {
		ev.Reply = uint8(v.reply)
	}
	r.tellRequest(v.endpoint, ev)
}

// tellRequest tells the pool how this request fared with an endpoint.
func (r *race) tellRequest(ep *pool.Endpoint, ev policy.Evidence) {
	ev.Phase, ev.Destination = policy.Request, r.server.where(r.destination)
	r.server.tell(ep, ev)
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
