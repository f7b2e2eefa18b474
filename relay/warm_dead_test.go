package relay_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// However a warm connection has died, the request goes on at the same endpoint,
// and nobody is blamed. A reset costs nothing compared with a new connection, for
// that is under way by then; silence costs the wait for an acknowledgement.
func TestDeadWarmConnectionIsReplaced(t *testing.T) {
	const wait = rigTrip + 50*time.Millisecond
	for _, c := range []struct {
		name string
		act  blocker.Act
		most time.Duration
		lost int64
	}{
		{"reset", blocker.Forge, 3 * rigTrip, 1},
		{"silent", blocker.Discard, wait + rigTrip, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inRig(t, rigConfig{}, func(r *rig) {
				r.serve(80, tellVia)
				changes := r.changes()
				first := r.first("a")
				for range 2 {
					r.firstByte("a")
					time.Sleep(time.Second)
				}
				r.forget(first, c.act)
				start := time.Now()
				conn := r.mustOpen("a", "site.lab:80")
				defer conn.Close()
				if took := time.Since(start); took > c.most {
					t.Errorf("granted after %v, want at most %v", took, c.most)
				}
				if via, err := exchange(conn, get); via != r.hosts[first].Addr().String() {
					t.Errorf("via %q, %v; want the same endpoint", via, err)
				}
				if s := r.server.Stats(); s.WarmLost != c.lost {
					t.Errorf("stats %+v, want %d lost", s, c.lost)
				}
				if took := r.firstByte("a"); took > 4*rigTrip {
					t.Errorf("the next request took %v", took)
				}
				time.Sleep(5 * time.Second)
				if n := changes(); n != 0 {
					t.Errorf("%d changes in the pool because of a connection that was forgotten", n)
				}
			})
		})
	}
}

// The endpoint's end crosses a request on its way: the client sees one success,
// and a stream that works.
func TestEndCrossesRequest(t *testing.T) {
	const limit = 5 * time.Second
	for _, early := range []time.Duration{-rigTrip, -rigTrip/2 - 1, -1, 0, 1, rigTrip / 4, rigTrip/2 + 1, rigTrip} {
		t.Run(early.String(), func(t *testing.T) {
			var ended atomic.Int32
			inRig(t, rigConfig{
				relay: relay.Config{Warm: 1},
				socks: everywhere(idler(limit, func(net.Conn) {}, &ended)),
			}, func(r *rig) {
				changes := r.changes()
				first := r.first("a")
				r.firstByte("a")
				dials := r.relayDials()
				if len(dials) != 2 {
					t.Errorf("%d dials, want one for the request and one to keep", len(dials))
					return
				}
				// Two round trips after the dial it was negotiated, and half a trip
				// before that the endpoint has begun to wait.
				end := dials[1].at.Add(2*rigTrip - rigTrip/2 + limit)
				time.Sleep(time.Until(end.Add(-early)))
				if took := r.firstByte("a"); took > 4*rigTrip {
					t.Errorf("first byte after %v, want what a new connection takes", took)
				}
				s := r.server.Stats()
				if s.Granted != 2 || s.Failed != 0 {
					t.Errorf("stats %+v", s)
				}
				if crossing := early > -rigTrip/2 && early < rigTrip/2; crossing != (s.WarmLost == 1) {
					t.Errorf("%d lost", s.WarmLost)
				}
				time.Sleep(3 * time.Second)
				if n := changes(); n != 0 {
					t.Errorf("%d changes in the pool", n)
				}
				if s := r.state(first); s != policy.Active {
					t.Errorf("the endpoint is %v", s)
				}
			})
		})
	}
}

// A request on a warm connection to an endpoint that is lost pays what one with a
// new connection would pay.
func TestLostEndpointWithWarmConnections(t *testing.T) {
	for _, c := range []struct {
		name   string
		lose   func(r *rig, n int)
		most   time.Duration
		noFlow bool
	}{
		{"dropped", func(r *rig, n int) { r.block(n, blocker.Discard) }, 250 * time.Millisecond, false},
		{"dropped, unseen by the transport", func(r *rig, n int) { r.block(n, blocker.Discard) }, 250 * time.Millisecond, true},
		{"hangs", func(r *rig, n int) { r.hosts[n].Hang() }, 250 * time.Millisecond, false},
		{"reset", func(r *rig, n int) { r.block(n, blocker.Forge) }, 2 * rigTrip, false},
		{"down", func(r *rig, n int) { r.hosts[n].Vanish() }, 250 * time.Millisecond, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var hide func(int, *memnet.Conn) net.Conn
			if c.noFlow {
				hide = func(_ int, c *memnet.Conn) net.Conn { return struct{ net.Conn }{c} }
			}
			inRig(t, rigConfig{wrap: hide}, func(r *rig) {
				r.serve(80, tellVia)
				first := r.first("a")
				for range 2 {
					r.firstByte("a")
					time.Sleep(time.Second)
				}
				c.lose(r, first)
				if took := r.firstByte("a"); took > c.most+4*rigTrip {
					t.Errorf("first byte after %v, want at most %v more than with a new connection", took, c.most)
				}
				time.Sleep(5 * time.Second)
				if s := r.state(first); s != policy.Dead {
					t.Errorf("the lost endpoint is %v, want dead", s)
				}
			})
		})
	}
}

func TestRefusalOnWarmConnection(t *testing.T) {
	refuse := false
	var r *rig
	c := rigConfig{destination: func(ctx context.Context, n int, address string) (net.Conn, error) {
		if refuse {
			return nil, upstream.HostUnreachable
		}
		return r.reach(ctx, n, address)
	}}
	inRig(t, c, func(rr *rig) {
		r = rr
		r.serve(80, tellVia)
		r.firstByte("a")
		time.Sleep(time.Second)
		refuse = true
		conn := r.connect()
		defer conn.Close()
		if code, err := rigReply(conn, 80); err != nil || code != byte(upstream.HostUnreachable) {
			t.Errorf("reply %d, %v; want the endpoints' answer", code, err)
		}
		if s := r.server.Stats(); s.SecondOpinions != 1 || s.Refused != 1 || s.WarmLost != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// After an outage of our own network no connection is used that is older.
func TestWarmConnectionsDoNotOutliveAnOutage(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, tellVia)
		first := r.first("a")
		for range 2 {
			r.firstByte("a")
			time.Sleep(time.Second)
		}
		for n := range r.hosts {
			r.block(n, blocker.Discard)
		}
		began := time.Now()
		go r.firstByte("a")
		time.Sleep(10 * time.Second)
		if !r.pool.Outage() {
			t.Errorf("no outage: the test shows nothing")
			return
		}
		for n := range r.hosts {
			r.block(n, blocker.Forward)
		}
		time.Sleep(5 * time.Second)
		for _, d := range r.relayDials() {
			if d.conn == nil || !d.at.Before(began) {
				continue
			}
			if _, err := d.conn.Flow(); err == nil {
				t.Errorf("a connection from before the outage is kept")
			}
		}
		r.firstByte("a")
		time.Sleep(time.Second)
		if n := r.kept(first); n == 0 {
			t.Errorf("no warm connection after the outage")
		}
	})
}

// hush is a box on the path that takes CONNECTs away, and nothing else.
type hush struct{ *memnet.Conn }

func (c hush) Write(b []byte) (int, error) {
	if len(b) > 3 && b[0] == 5 && b[1] == 1 && b[2] == 0 && b[3] != 0 {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// Flow shows what was taken away as unacknowledged, as the transport would.
func (c hush) Flow() (policy.Flow, error) {
	f, err := c.Conn.Flow()
	f.Unacked, f.LastAck = 1, time.Hour
	return f, err
}

// If it is the request that does not get through, the next endpoint is asked, and
// not the first one again and again.
func TestRequestThatDoesNotGetThrough(t *testing.T) {
	hushed := -1
	inRig(t, rigConfig{wrap: func(n int, c *memnet.Conn) net.Conn {
		if n == hushed {
			return hush{c}
		}
		return c
	}}, func(r *rig) {
		r.serve(80, tellVia)
		first := r.first("a")
		hushed = first
		for range 3 {
			if took := r.firstByte("a"); took > 4*rigTrip+2*(rigTrip+50*time.Millisecond)+2*rigTrip {
				t.Errorf("first byte after %v", took)
			}
			time.Sleep(3 * time.Second)
		}
		dials := 0
		for _, d := range r.relayDials() {
			if d.endpoint == first {
				dials++
			}
		}
		if dials > 3*4 {
			t.Errorf("%d dials to the endpoint for three requests", dials)
		}
	})
}
