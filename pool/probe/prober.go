package probe

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// The defaults of Prober.
const (
	DefaultSize          = policy.DefaultSize
	DefaultTries         = 3
	DefaultDoubtfulTries = 5
	DefaultSilence       = time.Second
	DefaultLimit         = 15 * time.Second
)

// Prober examines endpoints. The zero value is ready to use; its fields must not
// be changed once Probe has been called. It is safe for concurrent use.
type Prober struct {
	// Upstream reaches the endpoints; nil is the zero Dialer.
	Upstream *upstream.Dialer
	// Targets are tried in their order after the reserved one. They are
	// downloaded from, never uploaded to.
	Targets []Target
	// Size is how many bytes a transfer moves where the look does not say;
	// zero: 64 KiB. The reserved target gives and takes no more than
	// ReservedLimit.
	Size int64
	// Tries is how many handshakes are made at once where the look does not say;
	// zero: 3, and 5 in a doubtful look. A lost SYN then costs no second.
	Tries int
	// Silence is how long nothing may come before that is called silence; zero:
	// 1 s. Four round trips, as far as known, are the least; and for a TCP handshake
	// the look's Patience. A transfer that has begun is given half as much again.
	Silence time.Duration
	// Limit is for a whole examination; zero: 15 s. A transfer that still runs
	// then counts as slowed, or as stalled if nothing has come of late, with its
	// Rate. Few come near it: see the package's documentation.
	Limit time.Duration
	// TLS is used for https targets; nil is the zero Config.
	TLS *tls.Config

	memory memory
}

// conn keeps the generic calls readable.
type conn = net.Conn

// Probe examines one endpoint. When it returns, all its connections are closed
// and its goroutines have ended. If ctx ends first, what was not seen is None.
func (p *Prober) Probe(ctx context.Context, s policy.Spec, look policy.Look) policy.Examination {
	limit := p.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	x := policy.Examination{Asked: time.Now(), Depth: look.Depth}
	p.memory.touch(s.Name(), x.Asked)
	v := p.lookThrough(limited, s, look.Views)
	t := p.knock(limited, s, p.tries(look), look.Patience)
	session := t.first()
	if session != nil {
		// What answers here runs, and nobody else has to be asked.
		v.cancel()
	}
	switch {
	case session == nil:
	case look.Depth == policy.Carry:
		p.carry(limited, t, session, look, &x)
	default:
		_ = session.Close()
	}
	sum := t.end()
	x.RTT = sum.rtt
	if session != nil {
		x.Greeting = policy.Answered
		x.Tries, x.Failures = sum.handshakes, sum.lost
	} else {
		x.Greeting, x.Phase, x.Err = sum.outcome, sum.phase, sum.err
		x.Tries, x.Failures = sum.tries, sum.failures
	}
	if session != nil && sum.rtt > 0 {
		p.memory.update(s.Name(), x.Asked, func(e *trace) { e.rtt = sum.rtt })
	}
	x.Views = v.wait()
	if ctx.Err() != nil {
		unseen(&x, ctx.Err())
	}
	x.At = time.Now()
	return x
}

// unseen takes out of an examination that was broken off what it has not seen.
func unseen(x *policy.Examination, why error) {
	if x.Greeting != policy.Answered {
		x.Greeting, x.Phase, x.Err = policy.None, 0, why
		x.Tries, x.Failures = 0, 0
	}
	for _, passage := range []*policy.Passage{&x.Down, &x.Up} {
		if x.Depth == policy.Carry && passage.Outcome != policy.Answered {
			passage.Outcome, x.Err = policy.None, why
		}
	}
	if x.Egress != policy.Answered {
		x.Egress, x.EgressReply = policy.None, 0
	}
}

func (p *Prober) upstream() *upstream.Dialer {
	if p.Upstream == nil {
		return &upstream.Dialer{}
	}
	return p.Upstream
}

func (p *Prober) tries(look policy.Look) int {
	switch {
	case look.Tries > 0:
		return look.Tries
	case p.Tries > 0:
		return p.Tries
	case look.Doubtful:
		return DefaultDoubtfulTries
	}
	return DefaultTries
}

func (p *Prober) size(look policy.Look) int64 {
	switch {
	case look.Size > 0:
		return look.Size
	case p.Size > 0:
		return p.Size
	}
	return DefaultSize
}

// floor is the least silence of an endpoint that is one.
func (p *Prober) floor() time.Duration {
	if p.Silence <= 0 {
		return DefaultSilence
	}
	return p.Silence
}
