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
	DefaultSize    = 64 << 10
	DefaultTries   = 3
	DefaultSilence = time.Second
	DefaultLimit   = 15 * time.Second
)

// Prober examines endpoints. The zero value is ready to use; its fields must not
// be changed once Probe has been called. It is safe for concurrent use.
type Prober struct {
	// Upstream reaches the endpoints; nil is the zero Dialer.
	Upstream *upstream.Dialer
	// Targets are tried in their order after the reserved one.
	Targets []Target
	// Size is how many bytes a download has to bring; zero: 64 KiB. The
	// reserved target gives no more than ReservedLimit.
	Size int64
	// Tries is how many handshakes are made at once; zero: 3. A lost SYN then
	// costs no second.
	Tries int
	// Silence is how long nothing may come before that is called silence; zero:
	// 1 s. Four round trips, as far as known, are the least.
	Silence time.Duration
	// Limit is for a whole examination; zero: 15 s. A download that still runs
	// then counts as stalled, with its Rate.
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
	t := p.greet(limited, s, p.tries())
	x.RTT, x.Err = t.rtt, t.err
	x.Greeting = outcome(ctx, t.err)
	if t.err != nil {
		x.Phase = t.phase
	} else if t.rtt > 0 {
		p.memory.update(s.Name(), x.Asked, func(e *trace) { e.rtt = t.rtt })
	}
	if t.session != nil {
		if look.Depth == policy.Carry {
			p.carry(limited, s, t.session, &x)
			if ctx.Err() != nil && x.Down.Outcome != policy.Answered {
				x.Down.Outcome, x.Err = policy.None, ctx.Err()
			}
		}
		_ = t.session.Close()
	}
	x.At = time.Now()
	return x
}

// outcome is Classify, but for what the caller has ended.
func outcome(ctx context.Context, err error) policy.Outcome {
	if err != nil && ctx.Err() != nil {
		return policy.None
	}
	return upstream.Classify(err)
}

func (p *Prober) upstream() *upstream.Dialer {
	if p.Upstream == nil {
		return &upstream.Dialer{}
	}
	return p.Upstream
}

func (p *Prober) tries() int {
	if p.Tries <= 0 {
		return DefaultTries
	}
	return p.Tries
}

func (p *Prober) size() int64 {
	if p.Size <= 0 {
		return DefaultSize
	}
	return p.Size
}

func (p *Prober) floor() time.Duration {
	if p.Silence <= 0 {
		return DefaultSilence
	}
	return p.Silence
}
