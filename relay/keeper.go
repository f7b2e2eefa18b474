package relay

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

const (
	// tendEvery is how often a keeper looks whether its connection is still
	// wanted and its path still answers.
	tendEvery = 10 * time.Second
	// spareKeepAlive is the pace of keep-alive on a connection that waits.
	spareKeepAlive = 15 * time.Second
)

// keep is a keeper's goroutine. It holds a place on the shelf, which it fills
// with the given session, or with one that it opens; it waits beside it, and
// renews or replaces it as long as one is wanted.
func (h *shelf) keep(session *upstream.Session) {
	var old *spare // still on the shelf, and due
	for {
		if session == nil {
			session = h.open()
		}
		h.discard(old)
		if session == nil {
			break
		}
		sp := h.put(session)
		if sp == nil {
			_ = session.Close()
			break
		}
		session = nil
		switch h.watch(sp) {
		case taken:
			return // and the place with it
		case lapsed:
			old = sp
		default:
			old = nil
		}
	}
	h.vacate()
}

// open makes a connection as a request would, and reports what it sees. It is
// nil if that fails or nothing is needed.
func (h *shelf) open() *upstream.Session {
	if !h.needed() {
		return nil
	}
	s := h.warm.server
	ctx, cancel := context.WithTimeout(s.ctx, attemptLimit)
	defer cancel()
	session, err := newAttempt(h.endpoint, 0, cancel).open(ctx, s)
	if err != nil {
		h.broken()
		return nil
	}
	return session
}

// discard closes sp, unless it is nil or somebody has taken it.
func (h *shelf) discard(sp *spare) {
	if sp != nil && h.remove(sp) {
		_ = sp.session.Close()
	}
}

// fate is what has become of a connection on the shelf.
type fate uint8

const (
	waits  fate = iota
	taken       // by a request
	lapsed      // it is there still, and to be renewed
	lost        // it is closed
)

// watch waits beside a connection that is on the shelf, until it is taken, has
// lapsed or is lost. While another takes it or closes it, it is not on the shelf
// any more; which of the two it was is what Await tells.
func (h *shelf) watch(sp *spare) fate {
	_ = upstream.KeepAlive(sp.session.Conn(), spareKeepAlive, spareKeepAlive)
	for {
		now := time.Now()
		look := now.Add(tendEvery)
		if sp.due.After(now) && sp.due.Before(look) {
			look = sp.due
		}
		err := sp.session.Await(look)
		switch {
		case err == nil:
			return taken
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return h.ended(sp, upstream.Classify(err))
		}
		if flow, ok := upstream.ReadFlow(sp.session.Conn()); ok && flow.Probes >= 2 && h.remove(sp) {
			_ = sp.session.Close()
			h.mourn(policy.Silent, 0)
			return lost
		}
		switch f := h.tend(sp); f {
		case lost:
			_ = sp.session.Close()
			return lost
		case lapsed:
			return lapsed
		default:
		}
	}
}

// ended takes the end of a connection that its keeper has seen.
func (h *shelf) ended(sp *spare, how policy.Outcome) fate {
	h.mu.Lock()
	took := sp.taken
	h.removeLocked(sp)
	h.mu.Unlock()
	_ = sp.session.Close()
	if how == policy.None {
		return lost // by our own doing
	}
	h.mourn(how, time.Since(sp.born))
	if took {
		return taken // by a request that will find out
	}
	return lost
}

// tend decides what becomes of a connection that has come to no harm. One that
// is lost has been taken off the shelf, and must be closed.
func (h *shelf) tend(sp *spare) fate {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	due := !now.Before(sp.due)
	doubted := h.endpoint.State() == policy.Suspect
	surplus := len(h.kept) > h.wanted(now) && !doubted
	switch {
	case !slices.Contains(h.kept, sp) || !due && !surplus:
		return waits
	case surplus || doubted || h.unused >= mostUnused:
		h.removeLocked(sp)
		return lost
	}
	h.unused++
	sp.lapsed = true
	return lapsed
}

// mourn draws the conclusions from the end of a connection at rest. The
// endpoint's FIN is its idle limit, and no evidence. Anything else is a reason to
// examine the endpoint and no more: what resets connections at rest, or lets them
// fall silent, may be a box on the way that has forgotten them.
func (h *shelf) mourn(how policy.Outcome, age time.Duration) {
	switch how {
	case policy.Closed:
		h.limited(age)
	case policy.Local:
		h.broken()
	default:
		h.broken()
		now := time.Now()
		h.warm.server.tell(h.endpoint, policy.Evidence{Phase: policy.Transfer, Outcome: policy.Overdue, Asked: now, At: now})
	}
}
