package relay

import (
	"context"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// ambiguous reports whether an end with this outcome may be the destination's as
// well as the endpoint's. Silence never is: it is the kernel at the endpoint
// that does not acknowledge.
func ambiguous(o policy.Outcome) bool {
	return o != policy.Silent && o != policy.None && o != policy.Local
}

// departure is an endpoint that a first flight has left, and why.
type departure struct {
	endpoint *pool.Endpoint
	outcome  policy.Outcome
	asked    time.Time
	judged   bool   // by the pool, which needs no evidence then
	knock    *knock // nil if the end cannot be the destination's
}

// departures are the endpoints that one flight has left, in their order.
type departures []*departure

// has reports whether ep was left.
func (l departures) has(ep *pool.Endpoint) bool {
	return slices.ContainsFunc(l, func(d *departure) bool { return d.endpoint == ep })
}

// heard reports whether any of them has answered since it was left: the end that
// came from there may be the destination's.
func (l departures) heard() bool {
	for _, d := range l {
		if d.knock != nil && d.knock.heard() {
			return true
		}
	}
	return false
}

// bar reports whether ep was left and shall not be asked again: it answers, or
// that is not known yet, so that asking it would bring the same end.
func (l departures) bar(ep *pool.Endpoint) bool {
	for _, d := range l {
		if d.endpoint == ep && d.knock != nil && !d.knock.failed() {
			return true
		}
	}
	return false
}

// again is an endpoint that answers and was left only once: if there is no other
// to be had, a second try there is better than none.
func (l departures) again() *pool.Endpoint {
	for i, d := range l {
		if d.knock != nil && d.knock.heard() && !l[:i].has(d.endpoint) && !l[i+1:].has(d.endpoint) {
			return d.endpoint
		}
	}
	return nil
}

// knocking is the question that is open, nil if none is.
func (l departures) knocking() <-chan struct{} {
	if len(l) == 0 || l[len(l)-1].knock == nil {
		return nil
	}
	return l[len(l)-1].knock.done
}

// agree reports whether an end, that of the last departure, is the destination's:
// it came a second time, and both endpoints answer since.
func (l departures) agree(ctx context.Context) bool {
	last := l[len(l)-1]
	if last.knock == nil {
		return false
	}
	for _, d := range l[:len(l)-1] {
		if d.knock != nil && d.knock.wait(ctx) {
			return last.knock.wait(ctx)
		}
	}
	return false
}
