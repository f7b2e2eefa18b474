package relay

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// batches is how many attempts are started each time that a hedge delay passes
// without a session, the first one included. The last number repeats.
var batches = [...]int{1, 1, 2, 4, 8}

// race is one request on its way to an endpoint that grants it. Everything in
// it belongs to the goroutine that runs dial; attempts talk to it through
// events.
type race struct {
	server      *Server
	ctx         context.Context // ends when nobody wants the answer any more
	cancel      func()          // ends ctx
	client      string
	destination string
	deadline    time.Time // when patience ends

	// left are the endpoints at which this request's first flight has ended, to
	// be asked again only when they are heard of and have nothing to say to that.
	left    departures
	knocked <-chan struct{} // whether the last of them answers is known now
	// returned is true once one of them has been asked again for want of others.
	returned bool

	lease   order
	round   time.Time // when the lease was taken
	spent   bool      // the lease has no more endpoints
	tried   []trial
	batch   int
	running []*attempt

	changed <-chan struct{} // the pool's view has changed
	stale   bool            // it has, since the lease was taken
	waiting *answer         // not nil while this request waits with others

	events  chan *attempt
	over    chan struct{}
	hedged  bool      // time alone has hedged a CONNECT once
	again   bool      // an endpoint has been asked again for a forgotten connection
	refused *refusal  // the first endpoint's failure reply
	broken  []refusal // endpoints that failed while CONNECT was pending
	sound   int       // how many of those answer nevertheless
}

// grant is what a race is won with.
type grant struct {
	conn     net.Conn
	endpoint *pool.Endpoint
}

var (
	// errPatience ends a request that found no endpoint in time.
	errPatience = errors.New("no endpoint answered in time")
	// errStands ends a move for which there is no endpoint but such as answer and
	// have brought an end already: that end has to do.
	errStands = errors.New("no other endpoint to ask")
)

// dial finds an endpoint that grants the destination and returns the connection
// through it. It returns an upstream.Reply in its error if the destination
// is to blame, the ctx's cause if that ended it, errStands if only endpoints that
// were left would be to be had, and errPatience after the deadline. It never
// dials the destination itself.
func (r *race) dial() (grant, error) {
	r.events = make(chan *attempt)
	r.over = make(chan struct{})
	defer r.finish()

	r.begin(time.Now())
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wake, err := r.advance(time.Now())
		if err != nil {
			return grant{}, err
		}
		// Never a timer that is already due: Go 1.26's race detector crashes
		// when two goroutines of one synctest bubble select on such timers.
		timer.Reset(max(time.Until(wake), 1))
		var answered <-chan struct{}
		if r.waiting != nil {
			answered = r.waiting.done
		}
		select {
		case a := <-r.events:
			if won, err := r.handle(a); err != nil || won.conn != nil {
				return won, err
			}
		case <-timer.C:
		case <-r.changed:
			r.stale = true
			r.changed = r.server.config.Pool.Changed()
		case <-r.knocked:
			r.knocked = nil
		case <-answered:
			r.resume(r.waiting.endpoint)
		case <-r.ctx.Done():
			return grant{}, context.Cause(r.ctx)
		}
	}
}

// begin takes a fresh lease and starts a round with it. Attempts of earlier
// rounds that still run can win as well.
func (r *race) begin(now time.Time) {
	r.leave()
	r.changed, r.stale = r.server.config.Pool.Changed(), false
	r.lease, r.round = order{lease: r.server.config.Pool.Lease(r.client)}, now
	r.spent, r.batch = false, 0
	r.next(batches[0])
}

// resume goes on with an endpoint that has answered those who wait, and with no
// other: all others have been tried, and if this one fails the room has the next.
func (r *race) resume(ep *pool.Endpoint) {
	r.leave()
	if !r.left.bar(ep) && !r.asking(ep) {
		r.start(ep)
	}
}

// leave ends a wait, if there is one.
func (r *race) leave() {
	if r.waiting != nil {
		r.server.room.leave()
		r.waiting = nil
	}
}

// trial is an endpoint that was tried, and whether it was active then.
type trial struct {
	endpoint *pool.Endpoint
	active   bool
}

// known reports whether another try at ep would be a repetition: it was tried,
// and does not stand better now. If it answers after all, the room tells.
func (r *race) known(ep *pool.Endpoint) bool {
	for _, t := range slices.Backward(r.tried) {
		if t.endpoint == ep {
			return t.active || ep.State() != policy.Active
		}
	}
	return false
}

// needy reports whether the race lacks an attempt whose CONNECT it trusts to
// come back.
func (r *race) needy() bool {
	for _, a := range r.running {
		if !a.request.asked.IsZero() && !a.request.passed {
			return false
		}
	}
	return true
}

// next starts up to n attempts at endpoints that this lease has not given yet.
func (r *race) next(n int) {
	for n > 0 && !r.spent {
		ep := r.lease.next(r.lostIn)
		switch {
		case ep == nil:
			r.spent = true
		case r.left.has(ep) || r.asking(ep) || r.known(ep):
		default:
			r.start(ep)
			n--
		}
	}
}

// asking reports whether ep has had its say already: it is being asked, or it
// has refused, or broken in this round.
func (r *race) asking(ep *pool.Endpoint) bool {
	if r.said(ep) {
		return true
	}
	for _, a := range r.running {
		if a.endpoint == ep && !a.request.asked.IsZero() {
			return true
		}
	}
	return false
}

// said reports whether ep has answered the request in vain: it has refused, or
// broken in this round.
func (r *race) said(ep *pool.Endpoint) bool {
	if r.refused != nil && r.refused.endpoint == ep {
		return true
	}
	for _, b := range r.broken {
		if b.endpoint == ep && b.asked.After(r.round) {
			return true
		}
	}
	return false
}

// start asks ep on a warm connection, if there is one and no other CONNECT is
// pending, and in any case opens a new one.
func (r *race) start(ep *pool.Endpoint) {
	var place *shelf
	if r.needy() {
		if sp := r.server.warm.take(ep); sp != nil {
			r.askOn(sp)
			place = sp.shelf
		}
	}
	r.open(ep, place)
}

// open starts an attempt with a new connection.
func (r *race) open(ep *pool.Endpoint, place *shelf) {
	s := r.server
	ctx, cancel := context.WithTimeout(s.ctx, attemptLimit)
	a := newAttempt(ep, r.batch, cancel)
	a.place = place
	r.running = append(r.running, a)
	r.tried = append(r.tried, trial{ep, a.active})
	s.work.Go(func() { r.run(ctx, a) })
}

// run is an attempt's goroutine.
func (r *race) run(ctx context.Context, a *attempt) {
	defer a.cancel()
	s := r.server
	a.session, a.err = a.open(ctx, s)
	s.losers.end(a)
	if a.err != nil {
		a.fall()
		r.tell(a)
		return
	}
	if !r.tell(a) || !<-a.take {
		s.warm.give(a.endpoint, a.session, a.place)
		return
	}
	if a.place != nil {
		a.place.vacate()
	}
	// From here on the destination has a part in it, and the end of the race
	// ends it.
	a.conn, a.err = a.session.Request(r.ctx, r.destination)
	a.outcome = outcomeOf(r.ctx, a.err)
	if !r.tell(a) {
		if a.conn != nil {
			_ = a.conn.Close()
		}
		return
	}
	if a.broke() && s.knocks.at(a.endpoint).wait(r.ctx) {
		r.tell(a)
	}
}

// tell hands a to the race, unless the race is over.
func (r *race) tell(a *attempt) bool {
	select {
	case r.events <- a:
		return true
	case <-r.over:
		return false
	}
}

// finish lets the attempts that can still teach something run on, and ends the
// others.
func (r *race) finish() {
	close(r.over)
	r.cancel()
	r.leave()
	for _, a := range r.running {
		if a.request.asked.IsZero() && (a.place != nil || r.server.losers.keep(a)) {
			continue
		}
		a.cancel()
	}
}

// drop takes a out of the race.
func (r *race) drop(a *attempt) {
	for i, b := range r.running {
		if a == b {
			r.running = append(r.running[:i], r.running[i+1:]...)
			return
		}
	}
}

// handle takes what an attempt has to say.
func (r *race) handle(a *attempt) (grant, error) {
	if a.request.asked.IsZero() {
		r.opened(a)
		return grant{}, nil
	}
	if a.request.failed {
		return grant{}, r.isSound(a)
	}
	r.drop(a)
	if a.err == nil {
		if a.spare != nil {
			a.spare.shelf.served()
		}
		r.granted(a)
		return grant{a.conn, a.endpoint}, nil
	}
	if a.spare != nil && r.replace(a) {
		return grant{}, nil
	}
	return grant{}, r.failed(a)
}

// opened takes the end of an attempt's first two phases.
func (r *race) opened(a *attempt) {
	if a.err == nil {
		// A companion's endpoint may have had its say on the warm connection.
		if r.needy() && !r.said(a.endpoint) {
			a.request.asked = time.Now()
			a.active = a.endpoint.State() == policy.Active
			a.take <- true
			return
		}
		r.drop(a)
		a.take <- false
		return
	}
	r.drop(a)
	r.distrust(a)
	late := a.overdue[policy.Connect] || a.overdue[policy.Greeting]
	if !late && r.needy() {
		r.next(1) // what was overdue has company already
	}
}
