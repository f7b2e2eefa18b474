package relay

import (
	"net/netip"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// order gives the endpoints of a lease one after the other, with one change:
// active ones in a prefix where this request has been lost already come after
// the other active ones. Neighbours share a fate, and a request that meets a
// whole provider's prefixes at the moment of their loss would otherwise spend its
// patience on them, because each looks well until bytes flow.
type order struct {
	lease pool.Lease
	aside []*pool.Endpoint // lost neighbourhoods, not given yet
	held  *pool.Endpoint   // the first that is not active, behind those
}

// next is nil at the end.
func (o *order) next(lost func(netip.Prefix) bool) *pool.Endpoint {
	for o.held == nil {
		ep := o.lease.Next()
		switch {
		case ep == nil:
			return o.last()
		case ep.State() != policy.Active:
			o.held = ep
		case lost(neighbourhood(ep)):
			o.aside = append(o.aside, ep)
		default:
			return ep
		}
	}
	return o.last()
}

// last is the next of those put aside, then what follows them in the lease.
func (o *order) last() *pool.Endpoint {
	if len(o.aside) > 0 {
		ep := o.aside[0]
		o.aside = o.aside[1:]
		return ep
	}
	if ep := o.held; ep != nil {
		o.held = nil
		return ep
	}
	return o.lease.Next()
}

func neighbourhood(ep *pool.Endpoint) netip.Prefix { return policy.Neighbourhood(ep.Spec().Addr) }

// lostIn reports whether the request has been lost at an endpoint in p: its
// flight has left one, or CONNECT has ended or been doubted there.
func (r *race) lostIn(p netip.Prefix) bool {
	if !p.IsValid() {
		return false
	}
	for _, d := range r.left {
		if neighbourhood(d.endpoint) == p {
			return true
		}
	}
	for i := range r.broken {
		if neighbourhood(r.broken[i].endpoint) == p {
			return true
		}
	}
	for _, a := range r.running {
		if a.request.passed && neighbourhood(a.endpoint) == p {
			return true
		}
	}
	return false
}
