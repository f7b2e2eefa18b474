package relay_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

const get = "GET / HTTP/1.1\r\nHost: site.lab\r\n\r\n"

func TestRequestGoesThroughTheFirstChoice(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, tellVia)
		n := r.first("a")
		start := time.Now()
		c := r.mustOpen("a", "site.lab:80")
		// TCP, greeting, CONNECT: a round trip each.
		if took := time.Since(start); took > 3*rigTrip {
			t.Errorf("CONNECT took %v, want at most three round trips", took)
		}
		via, err := exchange(c, get)
		if err != nil || via != r.hosts[n].Addr().String() {
			t.Errorf("answer %q, %v; want it via endpoint %d", via, err, n)
		}
		c.Close()
		synctest.Wait()
		if s := r.server.Stats(); s.Requests != 1 || s.Granted != 1 || s.Failed != 0 || s.Hedges != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestHedgeWhenTheFirstChoiceIsSilent(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, tellVia)
		first, second := r.place("a", 0), r.place("a", 1)
		r.block(first, blocker.Discard)
		start := time.Now()
		c := r.mustOpen("a", "site.lab:80")
		defer c.Close()
		if took := time.Since(start); took > 250*time.Millisecond+3*rigTrip {
			t.Errorf("took %v, want one hedge delay more than without", took)
		}
		if via, err := exchange(c, get); via != r.hosts[second].Addr().String() {
			t.Errorf("via %q, %v; want the second choice", via, err)
		}
		// The loser runs on, and its silence condemns the first choice.
		time.Sleep(5 * time.Second)
		if s := r.state(first); s != policy.Dead {
			t.Errorf("the silent endpoint is %v, want dead", s)
		}
	})
}

func TestHedgesTryEveryEndpointWithinTwoSeconds(t *testing.T) {
	inRig(t, rigConfig{endpoints: 8, noProbes: true}, func(r *rig) {
		r.serve(80, tellVia)
		last := r.place("a", 7)
		for n := range r.hosts {
			if n != last {
				r.block(n, blocker.Discard)
			}
		}
		start := time.Now()
		r.mustOpen("a", "site.lab:80").Close()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("the last of eight was reached after %v", took)
		}
	})
}

func TestResetGoesToTheNextAtOnce(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, tellVia)
		r.block(r.first("a"), blocker.Forge)
		start := time.Now()
		r.mustOpen("a", "site.lab:80").Close()
		if took := time.Since(start); took > 5*rigTrip {
			t.Errorf("took %v, want two round trips more than three", took)
		}
	})
}

func TestEverybodyWaitsForTheNetwork(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, tellVia)
		for n := range r.hosts {
			r.block(n, blocker.Discard)
		}
		const clients = 20
		took := make(chan time.Duration, clients)
		start := time.Now()
		for n := range clients {
			go func() {
				c, err := r.open("client"+string(rune('a'+n)), "site.lab:80")
				if err != nil {
					t.Error(err)
				} else {
					c.Close()
				}
				took <- time.Since(start)
			}()
		}
		time.Sleep(20 * time.Second)
		r.mu.Lock()
		dials := 0
		for _, n := range r.dialed {
			dials += n
		}
		r.mu.Unlock()
		// The first rounds are everybody's own; after them there is one dial for
		// each endpoint in each pause of at least 250 ms, beside the pool's own.
		if most := clients*len(r.hosts)*3 + 20*(4+2)*len(r.hosts); dials > most {
			t.Errorf("%d dials in 20 s, want at most %d", dials, most)
		}
		for n := range r.hosts {
			r.block(n, blocker.Forward)
		}
		for range clients {
			if d := <-took; d > 21*time.Second {
				t.Errorf("a request went on after %v, want within 1 s of the return", d-20*time.Second)
			}
		}
		for n := range r.hosts {
			if s := r.state(n); s == policy.Dead {
				t.Errorf("endpoint %d is dead after an outage of our own", n)
			}
		}
	})
}

func TestPatienceEnds(t *testing.T) {
	inRig(t, rigConfig{relay: relay.Config{Patience: 5 * time.Second}}, func(r *rig) {
		for n := range r.hosts {
			r.block(n, blocker.Discard)
		}
		start := time.Now()
		_, err := r.open("a", "site.lab:80")
		if err == nil || !strings.Contains(err.Error(), "general SOCKS server failure") {
			t.Errorf("error %v, want a general failure", err)
		}
		if took := time.Since(start); took < 5*time.Second || took > 5*time.Second+rigTrip {
			t.Errorf("took %v, want the patience", took)
		}
		if s := r.server.Stats(); s.Failed != 1 {
			t.Errorf("stats %+v, want one failed", s)
		}
	})
}

func TestNoDirectDial(t *testing.T) {
	inRig(t, rigConfig{relay: relay.Config{Patience: 20 * time.Second}}, func(r *rig) {
		r.serve(80, tellVia)
		for n := range r.hosts {
			r.block(n, blocker.Act(1+n%3)) // dropped, reset, rejected
		}
		for _, destination := range []string{"93.184.216.1:80", "site.lab:80"} {
			if c, err := r.open("a", destination); err == nil {
				t.Errorf("%s was reached", destination)
				c.Close()
			}
		}
		for address := range r.dialed {
			if !strings.HasPrefix(address, "52.") {
				t.Errorf("the relay dialled %s", address)
			}
		}
	})
}

func TestClientLeavesDuringDial(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		for n := range r.hosts {
			r.block(n, blocker.Discard)
		}
		c := r.connect()
		go func() { _ = rigAsk(c, "a", "site.lab:80") }()
		time.Sleep(700 * time.Millisecond)
		c.Close()
		time.Sleep(100 * time.Millisecond)
		if s := r.server.Stats(); s.Left != 1 || s.Clients != 0 {
			t.Errorf("stats %+v, want the client gone", s)
		}
	})
}

func TestSlowDestinationIsHedgedOnce(t *testing.T) {
	slow := rigConfig{}
	var r *rig
	slow.destination = func(ctx context.Context, n int, address string) (net.Conn, error) {
		time.Sleep(6 * time.Second)
		return r.reach(ctx, n, address)
	}
	inRig(t, slow, func(rr *rig) {
		r = rr
		r.serve(80, tellVia)
		c := r.mustOpen("a", "site.lab:80")
		c.Close()
		asked := 0
		for _, h := range r.hosts {
			asked += r.counted(r.asked, h.Addr().String())
		}
		if asked != 2 {
			t.Errorf("%d endpoints were asked, want two", asked)
		}
		time.Sleep(3 * time.Second)
		for n := range r.hosts {
			if s := r.state(n); s != policy.Active {
				t.Errorf("endpoint %d is %v after a slow destination", n, s)
			}
		}
	})
}

func TestSecondOpinionOverrulesTheFirst(t *testing.T) {
	var r *rig
	bad := -1
	c := rigConfig{destination: func(ctx context.Context, n int, address string) (net.Conn, error) {
		if n == bad {
			return nil, upstream.HostUnreachable
		}
		return r.reach(ctx, n, address)
	}}
	inRig(t, c, func(rr *rig) {
		r = rr
		r.serve(80, tellVia)
		bad = r.first("a")
		for range 3 {
			r.mustOpen("a", "site.lab:80").Close()
			synctest.Wait()
		}
		if s := r.server.Stats(); s.SecondOpinions != 3 || s.Granted != 3 || s.Refused != 0 {
			t.Errorf("stats %+v", s)
		}
		if s := r.state(bad); s == policy.Active {
			t.Errorf("the endpoint without egress is still %v", s)
		}
	})
}

func TestSecondOpinionAgrees(t *testing.T) {
	for reply, asked := range map[upstream.Reply]int{
		upstream.GeneralFailure: 2, upstream.NotAllowed: 2, upstream.NetworkUnreachable: 2,
		upstream.HostUnreachable: 2, upstream.TTLExpired: 2,
		upstream.ConnectionRefused: 1, // the destination's own word
	} {
		t.Run(reply.Error(), func(t *testing.T) {
			c := rigConfig{destination: func(context.Context, int, string) (net.Conn, error) { return nil, reply }}
			inRig(t, c, func(r *rig) {
				conn := r.connect()
				defer conn.Close()
				code, err := rigReply(conn, 80)
				if err != nil || code != byte(reply) {
					t.Errorf("reply %d, %v; want %d", code, err, reply)
				}
				sum := 0
				for _, h := range r.hosts {
					sum += r.counted(r.asked, h.Addr().String())
				}
				if sum != asked {
					t.Errorf("%d endpoints were asked, want %d", sum, asked)
				}
				for n := range r.hosts {
					if s := r.state(n); s != policy.Active {
						t.Errorf("endpoint %d is %v, for a destination that is down", n, s)
					}
				}
				if s := r.server.Stats(); s.Refused != 1 || s.Failed != 0 {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

// TestConnectOutlivesLostEndpoints loses each endpoint but one in the middle of
// CONNECT: that more than a few of them broke says nothing of the destination,
// since none of them answers any more.
func TestConnectOutlivesLostEndpoints(t *testing.T) {
	var r *rig
	var left int // the client's last choice
	c := rigConfig{endpoints: 7, destination: func(ctx context.Context, n int, address string) (net.Conn, error) {
		if n != left {
			r.hosts[n].Abort()
			return nil, syscall.ECONNRESET
		}
		return r.reach(ctx, n, address)
	}}
	inRig(t, c, func(rig *rig) {
		r = rig
		r.serve(80, tellVia)
		left = r.place("a", c.endpoints-1)
		conn, err := r.open("a", "site.lab:80")
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if via, err := exchange(conn, get); err != nil || via != r.hosts[left].Addr().String() {
			t.Errorf("answer %q, %v", via, err)
		}
	})
}

// TestConnectThatBreaksEverywhere asks for a destination at which every endpoint
// breaks off, and then answers others as if nothing had been: the client is told
// soon, and no endpoint is marked.
func TestConnectThatBreaksEverywhere(t *testing.T) {
	c := rigConfig{endpoints: 7, socks: map[int]func(net.Conn){}}
	var asked atomic.Int32
	for n := range c.endpoints {
		c.socks[n] = func(c net.Conn) {
			b := make([]byte, 256)
			if _, err := c.Read(b); err != nil {
				return
			}
			_, _ = c.Write([]byte{5, 0})
			if n, err := c.Read(b); n > 0 && err == nil {
				asked.Add(1)
			}
		}
	}
	inRig(t, c, func(r *rig) {
		start := time.Now()
		conn, err := r.open("a", "site.lab:80")
		if err == nil {
			conn.Close()
			t.Error("granted")
		}
		if took := time.Since(start); took > 20*rigTrip {
			t.Errorf("the client was told after %v: %v", took, err)
		}
		if n := asked.Load(); n < 3 || n > 6 {
			t.Errorf("%d endpoints were asked, want three, and a few more while those are looked at", n)
		}
		for n := range r.hosts {
			if s := r.state(n); s != policy.Active {
				t.Errorf("endpoint %d is %v, for a destination that breaks CONNECT", n, s)
			}
		}
	})
}
