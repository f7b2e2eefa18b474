package relay_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
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
