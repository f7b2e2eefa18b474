package probe

import (
	"context"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// try is one handshake with an endpoint.
type try struct {
	session *upstream.Session
	rtt     time.Duration // of the TCP handshake; zero if it was not completed
	phase   policy.Phase  // that failed
	err     error
}

// greet makes n tries at once. The first that is answered wins, and the others
// are given up; if none is, the last to fail is returned. All have ended when it
// returns. The rtt is the shortest seen in any of them.
func (p *Prober) greet(ctx context.Context, s policy.Spec, n int) try {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tries := make(chan try, n)
	for range n {
		go func() { tries <- p.try(ctx, s) }()
	}
	var result try
	var rtt time.Duration
	for range n {
		t := <-tries
		if t.rtt > 0 && (rtt == 0 || t.rtt < rtt) {
			rtt = t.rtt
		}
		switch {
		case result.session != nil:
			// Answered as well, in the moment before it was given up.
			if t.session != nil {
				_ = t.session.Close()
			}
		default:
			result = t
		}
		if t.session != nil {
			cancel()
		}
	}
	result.rtt = rtt
	return result
}

// try connects and negotiates. Each of the two may be without an answer for as
// long as silence allows.
func (p *Prober) try(ctx context.Context, s policy.Spec) try {
	began := time.Now()
	c, err := within(ctx, p.silence(s.Name(), 0), func(ctx context.Context) (conn, error) {
		return p.upstream().Connect(ctx, s)
	})
	if err != nil {
		return try{phase: policy.Connect, err: err}
	}
	rtt := time.Since(began)
	session, err := within(ctx, p.silence(s.Name(), rtt), func(ctx context.Context) (*upstream.Session, error) {
		return p.upstream().Negotiate(ctx, c, s)
	})
	return try{session: session, rtt: rtt, phase: policy.Greeting, err: err}
}

// within calls f with a time limit.
func within[T any](ctx context.Context, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return f(ctx)
}

// silence is how long an endpoint may leave a question unanswered: 1 s, or
// four round trips if that is more. One that retransmits loses less.
func (p *Prober) silence(endpoint string, rtt time.Duration) time.Duration {
	rtt = max(rtt, p.memory.trace(endpoint).rtt)
	return max(p.floor(), 4*rtt)
}
