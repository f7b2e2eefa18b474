package relay

import (
	"errors"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// What follows is for requests on warm connections. Each has a companion: an attempt at the same
// endpoint, begun in the same moment with a new connection. If all is well, the
// answer comes before the companion is ready, and the companion's session takes
// the warm one's place on the shelf. If the warm connection turns out to be dead,
// the companion is well under way. And if nothing comes on either, it is the
// companion, in the endpoint's own phases, that tells a slow destination from a
// lost endpoint. So a request pays for trouble what it would pay without warm
// connections, counted from its beginning, and no more.

// askOn starts an attempt in its last phase, on a warm connection.
func (r *race) askOn(sp *spare) {
	a := newAttempt(sp.shelf.endpoint, r.batch, func() {})
	a.spare, a.session = sp, sp.session
	a.request.asked = a.enter(policy.Request)
	r.running = append(r.running, a)
	r.server.work.Go(func() {
		if a.err = a.session.Rouse(); a.err == nil {
			a.conn, a.err = a.session.Request(r.ctx, r.destination)
		}
		a.outcome = outcomeOf(r.ctx, a.err)
		if !r.tell(a) && a.conn != nil {
			_ = a.conn.Close()
		}
	})
}

// companion is the attempt beside the warm one a, if it is not over; nil for any
// other.
func (r *race) companion(a *attempt) *attempt {
	if a.spare == nil {
		return nil
	}
	for _, b := range r.running {
		if b.endpoint == a.endpoint && b.request.asked.IsZero() {
			return b
		}
	}
	return nil
}

// distrust is called when an attempt's endpoint gives cause for concern in its
// own phases: a request that is pending there on a warm connection is trusted no
// more than the attempt.
func (r *race) distrust(a *attempt) {
	for _, b := range r.running {
		if b.spare != nil && b.endpoint == a.endpoint {
			b.request.passed = true
		}
	}
}

// forgotten is called when nothing comes on a warm connection whose companion has
// been answered: the path is there, and somebody on it has forgotten the
// connection. The same endpoint is asked again, on a younger one; but only once,
// for it may be the request itself that does not get through.
func (r *race) forgotten(a *attempt) {
	a.request.passed, r.again = true, true
	a.spare.shelf.clear(a.request.asked)
	if r.needy() {
		r.start(a.endpoint)
	}
}

// replace takes a request that has failed on a warm connection. It is true if
// the failure is the connection's own, which is no evidence: then the request
// goes on with a new one.
func (r *race) replace(a *attempt) bool {
	how := a.outcome
	if r.ctx.Err() != nil || how == policy.Refused || errors.Is(a.err, upstream.ErrDestination) {
		return false
	}
	r.server.stats.warmLost.Add(1)
	a.spare.shelf.disappointed(a.spare, a.request.asked, how)
	switch {
	case r.companion(a) != nil || a.request.passed:
		// Somebody is on the way.
	case a.endpoint.State() == policy.Active:
		r.open(a.endpoint, nil)
	default:
		r.next(1)
	}
	return true
}

// fall ends an attempt's claim to a place on the shelf.
func (a *attempt) fall() {
	if a.place != nil {
		a.place.broken()
		a.place.vacate()
	}
}
