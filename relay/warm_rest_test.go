package relay_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// idler is an endpoint that grants everything, and does something of its own to
// connections that have waited for so long.
func idler(limit time.Duration, end func(net.Conn), ended *atomic.Int32) func(net.Conn) {
	return func(c net.Conn) {
		b := make([]byte, 512)
		if _, err := c.Read(b); err != nil {
			return
		}
		_, _ = c.Write([]byte{5, 0})
		_ = c.SetReadDeadline(time.Now().Add(limit))
		if _, err := c.Read(b); err != nil {
			if isDeadline(err) {
				ended.Add(1)
				end(c)
			}
			return
		}
		_ = c.SetReadDeadline(time.Time{})
		_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		if _, err := c.Read(b); err == nil {
			_, _ = io.WriteString(c, "hello\n")
		}
	}
}

func isDeadline(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

func everywhere(f func(net.Conn)) map[int]func(net.Conn) {
	return map[int]func(net.Conn){0: f, 1: f, 2: f, 3: f}
}

func TestIdleLimitIsLearned(t *testing.T) {
	for _, limit := range []time.Duration{4 * time.Second, 30 * time.Second} {
		t.Run(limit.String(), func(t *testing.T) {
			var ended atomic.Int32
			inRig(t, rigConfig{socks: everywhere(idler(limit, func(net.Conn) {}, &ended))}, func(r *rig) {
				changes := r.changes()
				first := r.first("a")
				for range 3 {
					r.firstByte("a")
				}
				time.Sleep(limit + time.Second)
				if ended.Load() == 0 {
					t.Errorf("the endpoint has ended nothing: the test shows nothing")
					return
				}
				learned := ended.Load()
				for range 100 {
					// Between two requests connections grow as old as they get.
					time.Sleep(limit / 2)
					r.firstByte("a")
					time.Sleep(limit * 9 / 10)
					r.firstByte("a")
					if r.kept(first) > 4 {
						t.Errorf("%d connections", r.kept(first))
					}
					if ended.Load() > learned {
						t.Errorf("the endpoint ran into its limit again")
						return
					}
					if time.Since(r.relayDials()[0].at) > 9*time.Minute {
						break // a limit is forgotten at some time
					}
				}
				if n := changes(); n != 0 {
					t.Errorf("%d changes in the pool because of an idle limit", n)
				}
				if s := r.server.Stats(); s.WarmLost != 0 || s.Failed != 0 || s.WarmHits < 10 {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

func TestResetsAtRestCondemnNobody(t *testing.T) {
	var ended atomic.Int32
	reset := func(c net.Conn) { _ = upstream.Abort(c) }
	inRig(t, rigConfig{socks: everywhere(idler(700*time.Millisecond, reset, &ended))}, func(r *rig) {
		changes := r.changes()
		for i := range 600 {
			r.firstByte(fmt.Sprint("client ", i%10))
			time.Sleep(500 * time.Millisecond)
		}
		if ended.Load() < 10 {
			t.Errorf("%d connections were reset: no storm", ended.Load())
		}
		if n := changes(); n != 0 {
			t.Errorf("%d changes in the pool because of connections at rest", n)
		}
		if s := r.server.Stats(); s.Granted != s.Requests || s.Hedges != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// A path that has forgotten connections at rest is noticed by keep-alive, and
// that is no more than a reason to look.
func TestSilentWarmConnectionsAreNoVerdict(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, tellVia)
		changes := r.changes()
		first := r.first("a")
		for range 2 {
			r.firstByte("a")
			time.Sleep(time.Second)
		}
		if n := r.kept(first); n != 2 {
			t.Errorf("%d warm connections, want 2", n)
		}
		r.forget(first, blocker.Discard)
		time.Sleep(55 * time.Second)
		if n := r.kept(first); n != 0 {
			t.Errorf("%d silent connections are kept", n)
		}
		if n := changes(); n != 0 {
			t.Errorf("%d changes in the pool", n)
		}
		if took := r.firstByte("a"); took != 4*rigTrip {
			t.Errorf("the next request took %v, want a new connection's four round trips", took)
		}
	})
}
