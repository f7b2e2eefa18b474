package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// requestSilence is how long an endpoint may take over CONNECT to a configured
// target, and the target over its first byte: there are a resolver, another
// network and a server in it. Assumption.
const requestSilence = 5 * time.Second

// errUnfit means that a target answered, but not with what makes it one. That
// says nothing of the endpoint.
var errUnfit = errors.New("not fit as a probe target")

// carriage is what the transfers of one examination share.
type carriage struct {
	p     *Prober
	spec  policy.Spec
	tries *tries
	size  int64 // of the longest flow
	least int64 // of the shortest one
	most  int64 // that all transfers move together
	route route
	moved atomic.Int64 // so many bytes have, in all of them
}

// transfer is what came of one transfer with one target.
type transfer struct {
	passed
	// granted is whether the target itself has answered.
	granted bool
	// lost is whether what we sent was never acknowledged: the path is at fault.
	lost bool
}

// carry moves bytes through the endpoint and puts into x what came of it. In a
// doubtful look there are several transfers at once, and whatever else is asked
// through the endpoint, each on a connection of its own, so that what strikes one
// does not hide the others.
func (p *Prober) carry(ctx context.Context, t *tries, session *upstream.Session, look policy.Look, x *policy.Examination) {
	plan := planned(look, p.size(look))
	c := &carriage{p: p, spec: t.spec, tries: t, route: route{t.rtt(), look.Loss}}
	c.most, c.least = plan.all()
	c.size = slices.Max(slices.Concat(plan.downs, plan.ups))
	x.Size = c.size
	downs, ups := newSiblings(len(plan.downs)), newSiblings(len(plan.ups))
	down, up := make([]passed, len(plan.downs)), make([]passed, len(plan.ups))
	var beside sync.WaitGroup
	for i, size := range plan.ups {
		with := session
		if i > 0 || len(plan.downs) > 0 {
			with = nil
		}
		beside.Go(func() { up[i] = c.up(ctx, with, size, ups, i) })
	}
	for i, size := range plan.downs {
		with := session
		if i > 0 {
			with = nil
		}
		beside.Go(func() { down[i] = c.down(ctx, with, size, downs, i) })
	}
	if !look.Doubtful && look.Egress == nil {
		t.giveUp()
	}
	var egress error
	if look.Egress != nil {
		beside.Go(func() { egress = c.egress(ctx, *look.Egress, x) })
	}
	usual := c.compare(ctx, look)
	beside.Wait()
	d, u := worst(down), worst(up)
	with := usual(d.Outcome == policy.Slowed || u.Outcome == policy.Slowed)
	x.Usual, x.UsualRTT, x.UsualBytes = with.rate, with.rtt, with.bytes
	// Whether an endpoint serves the reserved name is known only now.
	if u.Outcome != policy.Answered && !p.memory.trace(t.spec.Name()).served {
		u = passed{}
	}
	x.Down, x.Up, x.Err = d.Passage, u.Passage, d.err
	for _, err := range []error{u.err, egress} {
		if x.Err == nil {
			x.Err = err
		}
	}
}

// down downloads from one target after the other until one says something of
// the endpoint. Without a session, or with a target more, it takes another.
func (c *carriage) down(ctx context.Context, session *upstream.Session, size int64, with *siblings, which int) (p passed) {
	name := c.spec.Name()
	defer func() { with.ended(which, p) }()
	var doubts []error
	for i, t := range append([]Target{reserved(size)}, c.p.Targets...) {
		own := i == 0
		if own && c.p.memory.trace(name).shuns(time.Now()) {
			continue
		}
		if session == nil {
			var err error
			if session, err = c.tries.next(ctx); err != nil {
				doubts = append(doubts, err)
				break
			}
		}
		d := c.download(ctx, session, t, own, size, with, which)
		session = nil
		now := time.Now()
		if own && d.granted {
			c.p.memory.update(name, now, func(e *trace) { e.served, e.refused = true, time.Time{} })
		}
		if d.err == nil {
			if !own {
				c.p.memory.succeeded(t, name, now)
			}
			return d.passed
		}
		if c.p.counts(t, own, name, d, now) {
			return d.passed
		}
		doubts = append(doubts, fmt.Errorf("%s: %w", t, d.err))
		if ctx.Err() != nil {
			p.Rate = d.Rate
			break
		}
	}
	if session != nil {
		_ = session.Close()
	}
	p.err = errors.Join(doubts...)
	return p
}

// up uploads to the reserved target, which is the only one that asks for it:
// what others do with what they are sent is not ours to try out. Without a session it
// takes another.
func (c *carriage) up(ctx context.Context, session *upstream.Session, size int64, with *siblings, which int) (p passed) {
	name := c.spec.Name()
	defer func() { with.ended(which, p) }()
	if c.p.memory.trace(name).shuns(time.Now()) {
		if session != nil {
			_ = session.Close()
		}
		return passed{}
	}
	if session == nil {
		var err error
		if session, err = c.tries.next(ctx); err != nil {
			return passed{}
		}
	}
	d := c.upload(ctx, session, size, with, which)
	if d.granted {
		c.p.memory.update(name, time.Now(), func(e *trace) { e.served, e.refused = true, time.Time{} })
	}
	if errors.Is(d.err, errUnfit) || d.Outcome == policy.Local {
		return passed{}
	}
	return d.passed
}

// shuns is true if the endpoint has lately refused the reserved name.
func (e trace) shuns(now time.Time) bool {
	return !e.served && !e.refused.IsZero() && now.Sub(e.refused) < lately
}

// counts is whether a failed download is held against the endpoint.
func (p *Prober) counts(t Target, own bool, name string, d transfer, now time.Time) bool {
	if errors.Is(d.err, errUnfit) || d.Outcome == policy.None || d.Outcome == policy.Local {
		return false
	}
	if !own {
		return p.memory.failed(t, name, d.Bytes > 0, now)
	}
	// An endpoint that is not ours has to fail with a name that does not exist.
	if d.Bytes > 0 || d.lost || p.memory.trace(name).served {
		return true
	}
	p.memory.update(name, now, func(e *trace) { e.refused = now })
	return false
}
