package probe_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// doorman wants a password, and counts how often it is told one. With the right one
// it goes on as then does; nil refuses every one, after a while.
type doorman struct {
	told  atomic.Int32
	after time.Duration
	then  func(net.Conn)
	mute  bool // it says nothing to a password
}

func (d *doorman) serve(c net.Conn) {
	b := make([]byte, 2)
	if _, err := io.ReadFull(c, b); err != nil {
		return
	}
	if _, err := io.ReadFull(c, make([]byte, b[1])); err != nil {
		return
	}
	if _, err := c.Write([]byte{5, 2}); err != nil {
		return
	}
	for range 2 { // a version and the user, then the password
		if _, err := io.ReadFull(c, b[:1]); err != nil {
			return
		}
		if b[0] == 1 {
			if _, err := io.ReadFull(c, b[:1]); err != nil {
				return
			}
		}
		if _, err := io.ReadFull(c, make([]byte, b[0])); err != nil {
			return
		}
	}
	d.told.Add(1)
	if d.mute {
		_, _ = io.Copy(io.Discard, c)
		return
	}
	time.Sleep(d.after)
	if d.then == nil {
		_, _ = c.Write([]byte{1, 1})
		return
	}
	if _, err := c.Write([]byte{1, 0}); err == nil {
		d.then(c)
	}
}

// A wrong password is sent once, however many tries there are, and however long the
// endpoint waits before it says so.
func TestWrongPasswordIsSentOnce(t *testing.T) {
	for _, tc := range []struct {
		name  string
		after time.Duration
		look  policy.Look
	}{
		{"at once", 0, policy.Look{Doubtful: true}},
		{"a routine look", 0, policy.Look{}},
		{"many tries", 30 * time.Millisecond, policy.Look{Doubtful: true, Tries: 12}},
		{"late", 2200 * time.Millisecond, policy.Look{Doubtful: true, Depth: policy.Carry}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				door := &doorman{after: tc.after}
				es := network{first: {latency: 40 * time.Millisecond, serve: door.serve}}
				p := &probe.Prober{Upstream: &upstream.Dialer{Dial: es.dial}}
				x := p.Probe(t.Context(), spec(t, "socks5://me:wrong@"+first), tc.look)
				if x.Greeting != policy.Denied || x.Phase != policy.Greeting {
					t.Errorf("%v in %v: %v", x.Greeting, x.Phase, x.Err)
				}
				if n := door.told.Load(); n != 1 {
					t.Errorf("the password was sent %d times", n)
				}
			})
		})
	}
}

// Nor is one sent again that nothing comes of. That is one failure, and not five.
func TestPasswordWithoutAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		door := &doorman{mute: true}
		es := network{first: {latency: 40 * time.Millisecond, serve: door.serve}}
		p := &probe.Prober{Upstream: &upstream.Dialer{Dial: es.dial}}
		began := time.Now()
		x := p.Probe(t.Context(), spec(t, "socks5://me:right@"+first), policy.Look{Doubtful: true})
		if x.Greeting != policy.Silent || x.Tries != 1 || x.Failures != 1 {
			t.Errorf("%v, %d of %d failed: %v", x.Greeting, x.Failures, x.Tries, x.Err)
		}
		if n := door.told.Load(); n != 1 {
			t.Errorf("the password was sent %d times", n)
		}
		if took := time.Since(began); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("over after %s", took)
		}
	})
}

// Once it was accepted, the other tries go on with it.
func TestRightPasswordIsSentByAll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		door := &doorman{then: func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }}
		es := network{first: {latency: 40 * time.Millisecond, serve: door.serve}}
		p := &probe.Prober{Upstream: &upstream.Dialer{Dial: es.dial}}
		x := p.Probe(t.Context(), spec(t, "socks5://me:right@"+first), policy.Look{Doubtful: true, Depth: policy.Carry})
		if x.Greeting != policy.Answered || x.Failures != 0 {
			t.Errorf("%v, %d of %d failed: %v", x.Greeting, x.Failures, x.Tries, x.Err)
		}
		if n := door.told.Load(); n < 4 {
			t.Errorf("%d connections were let in, want one for each transfer", n)
		}
	})
}
