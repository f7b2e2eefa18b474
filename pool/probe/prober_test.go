package probe_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

const first, second = "52.58.0.1:1080", "52.58.0.2:1080"

func prober(n network) *probe.Prober {
	return &probe.Prober{
		Upstream: &upstream.Dialer{Dial: n.dial},
		Targets:  []probe.Target{{Host: "t.lab", Port: 80}},
	}
}

const whole = 64 << 10

func TestGreet(t *testing.T) {
	hang := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	for _, tc := range []struct {
		name  string
		e     *endpoint
		want  policy.Outcome
		phase policy.Phase
		took  time.Duration
	}{
		{"answered", &endpoint{latency: 80 * time.Millisecond, serve: own(nil)}, policy.Answered, 0, 80 * time.Millisecond},
		{"refused", &endpoint{refuse: refused}, policy.Reset, policy.Connect, 0},
		{"no answer to SYN", &endpoint{latency: -1}, policy.Silent, policy.Connect, time.Second},
		{"accepts and is silent", &endpoint{serve: hang}, policy.Silent, policy.Greeting, time.Second},
		{"far away and silent", &endpoint{latency: 400 * time.Millisecond, serve: hang}, policy.Silent, policy.Greeting, 2 * time.Second},
		{"closes at once", &endpoint{serve: func(net.Conn) {}}, policy.Closed, policy.Greeting, 0},
		{"not SOCKS", &endpoint{serve: func(c net.Conn) {
			_, _ = c.Read(make([]byte, 3))
			_, _ = c.Write([]byte("HTTP/1.0 400 Bad Request\r\n\r\n"))
		}}, policy.Garbage, policy.Greeting, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				x := prober(network{first: tc.e}).Probe(t.Context(), spec(t, first), policy.Look{Depth: policy.Greet})
				if x.Greeting != tc.want || x.Phase != tc.phase {
					t.Errorf("%v in %v, want %v in %v (%v)", x.Greeting, x.Phase, tc.want, tc.phase, x.Err)
				}
				if took := x.At.Sub(x.Asked); took != tc.took {
					t.Errorf("took %v, want %v", took, tc.took)
				}
				if (x.Err == nil) != (tc.want == policy.Answered) {
					t.Errorf("Err = %v", x.Err)
				}
				if n := tc.e.dials.Load(); n != 3 {
					t.Errorf("%d tries, want 3", n)
				}
			})
		})
	}
}

func TestOneAnsweredTryIsEnough(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := &endpoint{latency: 50 * time.Millisecond, serve: own(nil)}
		var n atomic.Int32
		d := &upstream.Dialer{Dial: func(ctx context.Context, nw, a string) (net.Conn, error) {
			if n.Add(1) < 3 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return e.dial(ctx, nw, a)
		}}
		p := &probe.Prober{Upstream: d, Tries: 3}
		x := p.Probe(t.Context(), spec(t, first), policy.Look{Depth: policy.Greet})
		// The third begins 50 ms after the first.
		if x.Greeting != policy.Answered || x.RTT != 50*time.Millisecond || x.At.Sub(x.Asked) != 100*time.Millisecond {
			t.Errorf("got %+v", x)
		}
	})
}

func TestCarry(t *testing.T) {
	for _, tc := range []struct {
		name  string
		serve func(net.Conn)
		want  policy.Outcome
		bytes [2]int64 // least and most
		took  time.Duration
	}{
		{"own, whole", own(serveHTTP(whole, whole, 0)), policy.Answered, [2]int64{whole, whole + 512}, 0},
		{"own, frozen", own(serveHTTP(whole, 16<<10, 0)), policy.Stalled, [2]int64{16 << 10, 17 << 10}, 1500 * time.Millisecond},
		{"own, policed", own(serveHTTP(whole, whole, 250*time.Millisecond)), policy.Slowed, [2]int64{40 << 10, 48 << 10}, 2500 * time.Millisecond},
		{"own, hardly a trickle", own(serveHTTP(1<<20, 1<<20, 950*time.Millisecond)), policy.Slowed, [2]int64{12 << 10, 20 << 10}, 2850 * time.Millisecond},
		{"foreign, whole", foreign(0, serveHTTP(1<<20, 1<<20, 0)), policy.Answered, [2]int64{whole, whole + 8192}, 0},
		{"foreign, frozen", foreign(0, serveHTTP(1<<20, 16<<10, 0)), policy.Stalled, [2]int64{16 << 10, 17 << 10}, 1500 * time.Millisecond},
		{"foreign, target down", foreign(5, nil), policy.None, [2]int64{}, 0},
		{"foreign, target gone", foreign(0, serveStatus(404)), policy.None, [2]int64{}, 0},
		{"foreign, target short", foreign(0, serveHTTP(100, 100, 0)), policy.None, [2]int64{}, 0},
		{"foreign, target silent", foreign(255, nil), policy.None, [2]int64{}, 5 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				p := prober(network{first: {serve: tc.serve}})
				if strings.HasSuffix(tc.name, "trickle") {
					p.Size = 1 << 20
				}
				x := p.Probe(t.Context(), spec(t, first), policy.Look{Depth: policy.Carry})
				if x.Greeting != policy.Answered || x.Down.Outcome != tc.want {
					t.Errorf("greeting %v, carried %v, want %v (%v)", x.Greeting, x.Down.Outcome, tc.want, x.Err)
				}
				if x.Down.Bytes < tc.bytes[0] || x.Down.Bytes > tc.bytes[1] {
					t.Errorf("%d bytes, want %v", x.Down.Bytes, tc.bytes)
				}
				if took := x.At.Sub(x.Asked); took != tc.took {
					t.Errorf("took %v, want %v", took, tc.took)
				}
				if (x.Down.Bytes > 0) != (x.Down.Rate > 0) || (x.Err == nil) != (tc.want == policy.Answered) {
					t.Errorf("rate %v, err %v", x.Down.Rate, x.Err)
				}
			})
		})
	}
}

func TestRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := prober(network{first: {serve: own(serveHTTP(whole, whole, 250*time.Millisecond))}})
		x := p.Probe(t.Context(), spec(t, first), policy.Look{Depth: policy.Carry})
		if x.Down.Rate < 16<<10 || x.Down.Rate > 18<<10 {
			t.Errorf("rate %.0f, want about 17 kB/s", x.Down.Rate)
		}
	})
}

// A target that no endpoint reaches says nothing of any; one that another has
// reached does.
func TestTargetKnownGoodElsewhere(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		good := &endpoint{serve: foreign(0, serveHTTP(whole, whole, 0))}
		bad := &endpoint{serve: foreign(3, nil)}
		p := prober(network{first: good, second: bad})
		if x := p.Probe(t.Context(), spec(t, second), policy.Look{Depth: policy.Carry}); x.Down.Outcome != policy.None {
			t.Errorf("before anything is known: %v", x.Down.Outcome)
		}
		if x := p.Probe(t.Context(), spec(t, first), policy.Look{Depth: policy.Carry}); x.Down.Outcome != policy.Answered {
			t.Errorf("the good one: %v", x.Down.Outcome)
		}
		x := p.Probe(t.Context(), spec(t, second), policy.Look{Depth: policy.Carry})
		if x.Down.Outcome != policy.Refused || x.Down.Reply != 3 || !errors.Is(x.Err, upstream.NetworkUnreachable) {
			t.Errorf("known good: %v, reply %d, %v", x.Down.Outcome, x.Down.Reply, x.Err)
		}
		good.serve = foreign(5, nil)
		if x := p.Probe(t.Context(), spec(t, first), policy.Look{Depth: policy.Carry}); x.Down.Outcome != policy.None {
			t.Errorf("its own success must not count against it: %v", x.Down.Outcome)
		}
		time.Sleep(11 * time.Minute)
		if x := p.Probe(t.Context(), spec(t, second), policy.Look{Depth: policy.Carry}); x.Down.Outcome != policy.None {
			t.Errorf("long after: %v", x.Down.Outcome)
		}
	})
}

// A reserved name that was served and is not any more counts; one that never
// was is not asked for each time.
func TestReservedNameIsRemembered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := &endpoint{serve: own(serveHTTP(whole, whole, 0))}
		other := &endpoint{serve: foreign(4, nil)}
		p := &probe.Prober{Upstream: &upstream.Dialer{Dial: network{first: e, second: other}.dial}, Tries: 1}
		p.Probe(t.Context(), spec(t, first), policy.Look{Depth: policy.Carry})
		e.serve = foreign(1, nil)
		if x := p.Probe(t.Context(), spec(t, first), policy.Look{Depth: policy.Carry}); x.Down.Outcome != policy.Refused || x.Down.Reply != 4 {
			t.Errorf("served before: %v, reply %d", x.Down.Outcome, x.Down.Reply)
		}
		for range 2 {
			if x := p.Probe(t.Context(), spec(t, second), policy.Look{Depth: policy.Carry}); x.Down.Outcome != policy.None {
				t.Errorf("never served: %v", x.Down.Outcome)
			}
		}
	})
}

func TestCancel(t *testing.T) {
	for _, tc := range []struct {
		name  string
		serve func(net.Conn)
		want  [2]policy.Outcome
	}{
		{"greeting", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, [2]policy.Outcome{policy.None, policy.None}},
		{"transfer", own(serveHTTP(whole, 1000, 0)), [2]policy.Outcome{policy.Answered, policy.None}},
		{"request", socks(func(string) (byte, func(net.Conn)) { return 255, nil }), [2]policy.Outcome{policy.Answered, policy.None}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				x := prober(network{first: {serve: tc.serve}}).Probe(ctx, spec(t, first), policy.Look{Depth: policy.Carry})
				if got := [2]policy.Outcome{x.Greeting, x.Down.Outcome}; got != tc.want {
					t.Errorf("got %v, want %v", got, tc.want)
				}
				if took := x.At.Sub(x.Asked); took != 300*time.Millisecond {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}
