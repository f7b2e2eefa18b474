package probe_test

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/testenv"
)

// each lets the nth dial go to the nth endpoint; there are no more.
func each(es ...*endpoint) *upstream.Dialer {
	var n atomic.Int32
	return &upstream.Dialer{Dial: func(ctx context.Context, nw, a string) (net.Conn, error) {
		return es[n.Add(1)-1].dial(ctx, nw, a)
	}}
}

// Of several failures the most frequent one counts.
func TestMostFailuresCount(t *testing.T) {
	silent, reset := &endpoint{latency: -1}, &endpoint{latency: 80 * time.Millisecond, refuse: refused}
	hung := &endpoint{latency: 80 * time.Millisecond, serve: func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }}
	for _, tc := range []struct {
		name  string
		es    []*endpoint
		want  policy.Outcome
		phase policy.Phase
	}{
		{"most silent", []*endpoint{reset, silent, silent, reset, silent}, policy.Silent, policy.Connect},
		{"most reset", []*endpoint{reset, silent, reset, reset, silent}, policy.Reset, policy.Connect},
		{"most in the greeting", []*endpoint{hung, silent, hung, reset, hung}, policy.Silent, policy.Greeting},
		{"equal: the last", []*endpoint{silent, silent, hung, reset, reset}, policy.Reset, policy.Connect},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				p := &probe.Prober{Upstream: each(tc.es...)}
				x := p.Probe(t.Context(), spec(t, first), policy.Look{Doubtful: true})
				if x.Greeting != tc.want || x.Phase != tc.phase || x.Tries != 5 || x.Failures != 5 {
					t.Errorf("%v in %v, %d of %d failed, want %v in %v", x.Greeting, x.Phase, x.Failures, x.Tries, tc.want, tc.phase)
				}
				if x.Err == nil || upstream.Classify(x.Err) != tc.want {
					t.Errorf("err %v", x.Err)
				}
			})
		})
	}
}

// A try that was given up because another was answered is no failure, and the
// tries of a look do not all fall into one short burst of loss.
func TestTriesAreApart(t *testing.T) {
	for _, tc := range []struct {
		look  policy.Look
		tries int32
	}{{policy.Look{}, 3}, {policy.Look{Doubtful: true}, 5}} {
		inBubble(t, func(t *testing.T) {
			e := &endpoint{latency: 200 * time.Millisecond, serve: own(nil)}
			began := time.Now()
			d := &upstream.Dialer{Dial: func(ctx context.Context, nw, a string) (net.Conn, error) {
				if time.Since(began) < 40*time.Millisecond { // a burst
					e.dials.Add(1)
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return e.dial(ctx, nw, a)
			}}
			x := (&probe.Prober{Upstream: d}).Probe(t.Context(), spec(t, first), tc.look)
			if x.Greeting != policy.Answered || x.Failures != 0 || x.At.Sub(x.Asked) != 250*time.Millisecond || e.dials.Load() != tc.tries {
				t.Errorf("%d tries made: %+v", e.dials.Load(), x)
			}
		})
	}
}

// The tries of looks that were answered tell what share of handshakes is lost.
func TestLossShows(t *testing.T) {
	for _, loss := range []float64{0, 0.05, 0.2} {
		for _, look := range []policy.Look{{}, {Depth: policy.Carry}, {Doubtful: true}} {
			inLabAt(t, 80*time.Millisecond, testenv.Config{Seed: 1}, loss, func(t *testing.T, l *lab) {
				tries, failures := 0, 0
				for range 200 {
					x := l.prober.Probe(t.Context(), l.endpoint.Spec(), look)
					if x.Greeting == policy.Answered {
						tries, failures = tries+x.Tries, failures+x.Failures
					}
				}
				// A handshake is lost with its SYN or with the answer to it.
				want := 1 - (1-loss)*(1-loss)
				if got := float64(failures) / float64(tries); tries < 200 || got < 0.6*want || got > 1.4*want {
					t.Errorf("loss %v, %+v: %d of %d handshakes lost, want a share of about %.3f", loss, look, failures, tries, want)
				}
			})
		}
	}
}
