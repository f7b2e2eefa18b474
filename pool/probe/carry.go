package probe

import (
	"context"
	"errors"
	"fmt"
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

// carry downloads from one target after the other until one says something of
// the endpoint, and puts that into x.
func (p *Prober) carry(ctx context.Context, s policy.Spec, session *upstream.Session, x *policy.Examination) {
	name := s.Name()
	var doubts []error
	for i, t := range append([]Target{reserved(p.size())}, p.Targets...) {
		own := i == 0
		if own && p.memory.trace(name).shuns(time.Now()) {
			continue
		}
		if session == nil {
			// The first one went with the target before.
			again := p.greet(ctx, s, p.tries())
			if again.err != nil {
				doubts = append(doubts, again.err)
				break
			}
			session = again.session
		}
		d := p.download(ctx, session, name, t, own)
		session = nil
		now := time.Now()
		if d.err == nil {
			if own {
				p.memory.update(name, now, func(e *trace) { e.served, e.refused = true, time.Time{} })
			} else {
				p.memory.succeeded(t, name, now)
			}
			d.report(x)
			return
		}
		if p.counts(t, own, name, d, now) {
			d.report(x)
			return
		}
		doubts = append(doubts, fmt.Errorf("%s: %w", t, d.err))
		if ctx.Err() != nil {
			break
		}
	}
	if session != nil {
		_ = session.Close()
	}
	x.Err = errors.Join(doubts...)
}

// shuns is true if the endpoint has lately refused the reserved name.
func (e trace) shuns(now time.Time) bool {
	return !e.served && !e.refused.IsZero() && now.Sub(e.refused) < lately
}

// counts is whether a failed download is held against the endpoint.
func (p *Prober) counts(t Target, own bool, name string, d download, now time.Time) bool {
	if errors.Is(d.err, errUnfit) || d.outcome == policy.None || d.outcome == policy.Local {
		return false
	}
	if !own {
		return p.memory.failed(t, name, d.bytes > 0, now)
	}
	// An endpoint that is not ours has to fail with a name that does not exist.
	if d.bytes > 0 || d.lost || p.memory.trace(name).served {
		return true
	}
	p.memory.update(name, now, func(e *trace) { e.refused = now })
	return false
}
