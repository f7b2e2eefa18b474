package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// firstByte makes one whole request and returns how long its first byte took.
func (r *rig) firstByte(client string) time.Duration {
	r.t.Helper()
	start := time.Now()
	c, err := r.open(client, "site.lab:80")
	if err != nil {
		r.t.Errorf("request: %v", err)
		return 0
	}
	defer c.Close()
	if _, err := exchange(c, get); err != nil {
		r.t.Errorf("first byte: %v", err)
	}
	return time.Since(start)
}

// relayDials is a copy of what the relay has dialled so far, warm connections
// included, the pool's examinations not.
func (r *rig) relayDials() []rigDial {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]rigDial(nil), r.trail...)
}

// kept is how many connections the relay has open to an endpoint. Without
// clients they are the warm ones.
func (r *rig) kept(n int) (open int) {
	for _, d := range r.relayDials() {
		if d.endpoint == n && d.conn != nil {
			if _, err := d.conn.Flow(); err == nil {
				open++
			}
		}
	}
	return open
}

// changes counts the pool's events from now on. The returned function says how
// many there were, and ends the watch.
func (r *rig) changes() (count func() int) {
	watch := r.pool.Watch()
	return func() (n int) {
		watch.Close()
		for {
			ev, err := watch.Next(context.Background())
			if errors.Is(err, pool.ErrWatchClosed) {
				return n
			}
			if ev.From != ev.To || ev.Kind == pool.OutageBegan {
				r.t.Logf("event: %v", ev)
				n++
			}
		}
	}
}

func TestFirstByteInRoundTrips(t *testing.T) {
	const off, on = -1, 0
	for _, c := range []struct {
		name     string
		warm     int
		password string
		trips    time.Duration
	}{
		{"cold", off, "", 4},
		{"cold with a password", off, "secret", 5},
		{"warm", on, "", 2},
		{"warm with a password", on, "secret", 2},
	} {
		for _, trip := range []time.Duration{10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond} {
			t.Run(fmt.Sprint(c.name, " ", trip), func(t *testing.T) {
				inRig(t, rigConfig{trip: trip, password: c.password, relay: relay.Config{Warm: c.warm}}, func(r *rig) {
					r.serve(80, tellVia)
					r.firstByte("a")
					for range 5 {
						time.Sleep(2 * time.Second)
						if took := r.firstByte("a"); took != c.trips*trip {
							t.Errorf("first byte after %v, want %d round trips of %v", took, c.trips, trip)
						}
					}
				})
			})
		}
	}
}

func TestWarmConnectionsFollowDemand(t *testing.T) {
	inRig(t, rigConfig{relay: relay.Config{Warm: 3}}, func(r *rig) {
		r.serve(80, tellVia)
		time.Sleep(5 * time.Minute)
		if n := len(r.relayDials()); n != 0 {
			t.Errorf("the relay dialled %d times before anybody asked for anything", n)
		}
		first := r.first("a")
		for asked := 1; asked <= 5; asked++ {
			r.firstByte("a")
			time.Sleep(time.Second)
			if n := r.kept(first); n != min(asked, 3) {
				t.Errorf("%d warm connections after %d requests, want %d", n, asked, min(asked, 3))
			}
		}
		for n := range r.hosts {
			if n != first && r.kept(n) != 0 {
				t.Errorf("%d warm connections to an endpoint that nobody asked for", r.kept(n))
			}
		}
		time.Sleep(30 * time.Second)
		if n := r.kept(first); n == 0 {
			t.Errorf("no warm connection 30 s after the last request")
		}
		time.Sleep(2 * time.Minute)
		if n := r.kept(first); n != 0 {
			t.Errorf("%d warm connections 150 s after the last request", n)
		}
		before := len(r.relayDials())
		time.Sleep(10 * time.Minute)
		if n := len(r.relayDials()); n != before {
			t.Errorf("%d dials while nobody asks", n-before)
		}
	})
}

// Of two connections the younger is taken, so that the other one gets old.
func TestWarmConnectionsAreRenewedInNoRhythm(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, tellVia)
		first := r.first("a")
		asked := map[time.Time]bool{time.Now(): true}
		r.firstByte("a")
		for range 180 {
			asked[time.Now()] = true
			r.firstByte("a")
			time.Sleep(10 * time.Second)
			if n := r.kept(first); n != 2 {
				t.Errorf("%d warm connections, want 2", n)
				return
			}
		}
		var last time.Time
		pauses := make(map[time.Duration]bool)
		for _, d := range r.relayDials() {
			if asked[d.at] {
				continue
			}
			if pause := d.at.Sub(last); !last.IsZero() {
				pauses[pause] = true
				// Lives are 90 s to 2 min, and the elder of the two may be 10 s old
				// when it becomes the one that waits.
				if pause < 80*time.Second || pause > 2*time.Minute+2*rigTrip {
					t.Errorf("renewed after %v", pause)
				}
			}
			last = d.at
		}
		if len(pauses) < 10 {
			t.Errorf("%d different pauses between renewals in half an hour: %v", len(pauses), pauses)
		}
		if s := r.server.Stats(); s.WarmLost != 0 || s.WarmHits != 180 {
			t.Errorf("stats %+v, want all but the first to hit", s)
		}
	})
}

func TestWarmSwitchedOff(t *testing.T) {
	inRig(t, rigConfig{relay: relay.Config{Warm: -1}}, func(r *rig) {
		r.serve(80, tellVia)
		for range 5 {
			r.firstByte("a")
			time.Sleep(time.Second)
		}
		if n := len(r.relayDials()); n != 5 {
			t.Errorf("%d dials for 5 requests", n)
		}
		if s := r.server.Stats(); s.WarmHits != 0 || s.WarmMisses != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Six endpoints, two active; one after the other is lost, with a load that warms
// all that it may.
func TestWarmConnectionsGoToActiveEndpointsOnly(t *testing.T) {
	inRig(t, rigConfig{endpoints: 6, active: 2}, func(r *rig) {
		r.serve(80, tellVia)
		for round := range 5 {
			lost := -1
			for n := range r.hosts {
				if r.state(n) == policy.Active {
					lost = n
				}
			}
			for i := range 60 {
				if i == 20 {
					if r.kept(lost) == 0 {
						t.Errorf("round %d: no warm connection to begin with", round)
					}
					r.block(lost, blocker.Act(1+round%2)) // dropped, reset
				}
				r.firstByte(fmt.Sprint("client ", i%10))
				time.Sleep(100 * time.Millisecond)
			}
			if s := r.state(lost); s != policy.Dead {
				t.Errorf("round %d: the lost endpoint is %v", round, s)
			}
			if n := r.kept(lost); n != 0 {
				t.Errorf("round %d: %d warm connections to a dead endpoint", round, n)
			}
			r.block(lost, blocker.Forward)
		}
		for _, d := range r.relayDials() {
			if d.state != policy.Active {
				t.Errorf("the relay dialled endpoint %d, which was %v", d.endpoint, d.state)
			}
		}
	})
}

func TestWarmConnectionsCloseWithTheVerdict(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, tellVia)
		first := r.first("a")
		for range 2 {
			r.firstByte("a")
			time.Sleep(time.Second)
		}
		watch := r.pool.Watch()
		defer watch.Close()
		if n := r.kept(first); n != 2 {
			t.Errorf("%d warm connections, want 2", n)
			return
		}
		r.block(first, blocker.Discard)
		go r.firstByte("b")
		go r.firstByte("a")
		for {
			ev, err := watch.Next(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			if ev.Kind == pool.Changed && ev.To == policy.Dead {
				break
			}
		}
		synctest.Wait()
		if n := r.kept(first); n != 0 {
			t.Errorf("%d connections to a dead endpoint in the moment of the verdict", n)
		}
		time.Sleep(5 * time.Second)
		other := r.first("a")
		r.firstByte("a")
		time.Sleep(time.Second)
		if r.kept(other) == 0 {
			t.Errorf("no warm connection to the endpoint that took over")
			return
		}
		r.pool.Retire(r.hosts[other].Addr().String() + ":1080")
		time.Sleep(time.Millisecond)
		if n := r.kept(other); n != 0 {
			t.Errorf("%d connections to a retired endpoint", n)
		}
	})
}

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

// Warm connections give way when clients need the descriptors.
func TestWarmConnectionsGiveWay(t *testing.T) {
	inRig(t, rigConfig{relay: relay.Config{MaxClients: 8}}, func(r *rig) {
		r.serve(7, echo)
		first := r.first("a")
		var clients []net.Conn
		for range 6 {
			clients = append(clients, r.mustOpen("a", "site.lab:7"))
			time.Sleep(time.Second)
		}
		if n := r.kept(first); n != 6+2 {
			t.Errorf("%d connections with six streams, want two more", n)
		}
		for range 2 {
			clients = append(clients, r.mustOpen("a", "site.lab:7"))
		}
		time.Sleep(11 * time.Second)
		if n := r.kept(first); n != len(clients) {
			t.Errorf("%d connections with %d streams, which is the limit", n, len(clients))
		}
		for _, c := range clients {
			c.Close()
		}
	})
}

func TestShutdownClosesWarmConnections(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(7, echo)
		first := r.first("a")
		c := r.mustOpen("a", "site.lab:7")
		time.Sleep(time.Second)
		if n := r.kept(first); n != 2 {
			t.Errorf("%d connections with one stream, want one more", n)
		}
		done := make(chan error)
		go func() { done <- r.server.Shutdown(context.Background()) }()
		time.Sleep(time.Second)
		if n := r.kept(first); n != 1 {
			t.Errorf("%d connections during shutdown, want the stream's", n)
		}
		if line, err := exchange(c, "still here"); line != "still here" {
			t.Errorf("the stream says %q, %v", line, err)
		}
		c.Close()
		if err := <-done; err != nil {
			t.Error(err)
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
