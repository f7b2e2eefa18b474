package probe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// twinMost is the largest size at which there are twins, which are a quarter
// shorter: two of each are 224 KiB, and all that is asked besides is little. A larger
// size is asked for to see where flows stop, and costs enough as it is.
const twinMost = 64 << 10

// twinsAlone is the largest size of a download that has a twin where nothing else is
// asked for.
const twinsAlone = 144 << 10

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
	size  int64 // each way
	most  int64 // that all transfers move together
	route route
	moved atomic.Int64 // so many bytes have, in all of them
}

// less is the size of the second of two twins.
func less(size int64) int64 { return max(size*3/4, 1) }

// transfer is what came of one transfer with one target.
type transfer struct {
	passed
	// granted is whether the target itself has answered.
	granted bool
	// lost is whether what we sent was never acknowledged: the path is at fault.
	lost bool
}

// carry moves bytes through the endpoint and puts into x what came of it. In a
// doubtful look there are two downloads and two uploads at once, and whatever else
// is asked through the endpoint, each on a connection of its own, so that what
// strikes one does not hide the others.
func (p *Prober) carry(ctx context.Context, t *tries, session *upstream.Session, look policy.Look, x *policy.Examination) {
	c := &carriage{p: p, spec: t.spec, tries: t, size: p.size(look), route: route{t.rtt(), look.Loss}}
	x.Size = c.size
	var (
		down, up [2]passed
		downs    *pair
		ups      *pair
		beside   sync.WaitGroup
	)
	bothWays := look.Doubtful && !look.OneWay
	twins := bothWays && c.size <= twinMost || look.Doubtful && look.OneWay && c.size <= twinsAlone
	c.most = c.size
	if twins {
		downs, ups = new(pair), new(pair)
		c.most += less(c.size)
	}
	if bothWays {
		c.most *= 2
	}
	if bothWays {
		beside.Go(func() { up[0] = c.up(ctx, c.size, ups, 0) })
	}
	if twins {
		beside.Go(func() { down[1] = c.down(ctx, nil, less(c.size), downs, 1) })
	}
	if twins && bothWays {
		beside.Go(func() { up[1] = c.up(ctx, less(c.size), ups, 1) })
	}
	if !look.Doubtful && look.Egress == nil {
		t.giveUp()
	}
	var egress error
	if look.Egress != nil {
		beside.Go(func() { egress = c.egress(ctx, *look.Egress, x) })
	}
	usual := c.compare(ctx, look)
	down[0] = c.down(ctx, session, c.size, downs, 0)
	beside.Wait()
	worseDown, worseUp := worse(down[0], down[1]), worse(up[0], up[1])
	u := usual(worseDown.Outcome == policy.Slowed || worseUp.Outcome == policy.Slowed)
	x.Usual, x.UsualRTT, x.UsualBytes = u.rate, u.rtt, u.bytes
	// Whether an endpoint serves the reserved name is known only now.
	if worseUp.Outcome != policy.Answered && !p.memory.trace(t.spec.Name()).served {
		worseUp = passed{}
	}
	x.Down, x.Up, x.Err = worseDown.Passage, worseUp.Passage, worseDown.err
	for _, err := range []error{worseUp.err, egress} {
		if x.Err == nil {
			x.Err = err
		}
	}
}

// down downloads from one target after the other until one says something of
// the endpoint. Without a session, or with a target more, it takes another.
func (c *carriage) down(ctx context.Context, session *upstream.Session, size int64, twins *pair, side int) (p passed) {
	name := c.spec.Name()
	defer func() { twins.ended(side, p) }()
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
		d := c.download(ctx, session, t, own, size, twins, side)
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
// what others do with what they are sent is not ours to try out.
func (c *carriage) up(ctx context.Context, size int64, twins *pair, side int) (p passed) {
	name := c.spec.Name()
	defer func() { twins.ended(side, p) }()
	if c.p.memory.trace(name).shuns(time.Now()) {
		return passed{}
	}
	session, err := c.tries.next(ctx)
	if err != nil {
		return passed{}
	}
	d := c.upload(ctx, session, size, twins, side)
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
