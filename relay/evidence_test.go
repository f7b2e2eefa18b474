package relay_test

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// clientOf is a client whose requests go to endpoint n.
func (r *rig) clientOf(n int) string {
	name := "a"
	for r.first(name) != n {
		name += "a"
	}
	return name
}

// fetch is the first bytes that a client gets for what it says.
func (r *rig) fetch(client, say string) (string, error) {
	c, err := r.open(client, "site.lab:80")
	if err != nil {
		return "", err
	}
	defer c.Close()
	return exchange(c, say)
}

// TestOneFailsAllOthersDoNot has one endpoint among good ones that answers the
// greeting and is good for nothing: each request that went on elsewhere counts
// against it, on warm connections as on new ones.
func TestOneFailsAllOthersDoNot(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		phase policy.Phase
		want  policy.Outcome
		reply uint8
	}{
		{"general failure", testenv.Refuse(1), policy.Request, policy.Refused, 1},
		{"not allowed", testenv.Refuse(2), policy.Request, policy.Refused, 2},
		{"host unreachable", testenv.Refuse(4), policy.Request, policy.Refused, 4},
		{"grants and closes", testenv.GrantAndClose, policy.Transfer, policy.Closed, 0},
		{"grants and resets", func(c net.Conn) {
			testenv.GrantAndClose(c)
			time.Sleep(rigTrip) // the grant is on its way before
			_ = upstream.Abort(c)
		}, policy.Transfer, policy.Reset, 0},
	} {
		for _, warm := range []int{-1, 2} {
			t.Run(fmt.Sprintf("%s, warm %d", c.name, warm), func(t *testing.T) {
				inRig(t, rigConfig{socks: map[int]func(net.Conn){0: c.serve}, relay: relay.Config{Warm: warm}}, func(r *rig) {
					r.serve(80, tellVia)
					client := r.clientOf(0)
					asked := 0
					for ; asked < 3 && r.state(0) == policy.Active; asked++ {
						if _, err := r.fetch(client, get); err != nil {
							t.Errorf("request %d: %v", asked, err)
						}
						synctest.Wait()
						all := r.tellings(c.phase, c.want)
						if len(all) != asked+1 {
							t.Errorf("after %d requests: told %+v", asked+1, all)
						}
						for _, ev := range all {
							if ev.endpoint != 0 || !ev.Elsewhere || ev.Reply != c.reply || ev.Destination == 0 || !ev.Asked.Before(ev.At) {
								t.Errorf("told %+v", ev)
							}
						}
						time.Sleep(100 * time.Millisecond) // for the next connection to be ready
					}
					if asked < 2 {
						t.Errorf("only %d requests were made: no test", asked)
					}
					if s := r.server.Stats(); (s.WarmHits > 0) != (warm > 0) {
						t.Errorf("%d requests found a warm connection", s.WarmHits)
					}
				})
			})
		}
	}
}

// TestRefusalThatStandsIsTold is a destination that is refused wherever it is
// asked for: no evidence against anybody, and yet the pool hears of it, for an
// endpoint may say so of all destinations.
func TestRefusalThatStandsIsTold(t *testing.T) {
	for reply, times := range map[byte]int{1: 2, 4: 2, 5: 1} {
		t.Run(fmt.Sprint("reply ", reply), func(t *testing.T) {
			all := make(map[int]func(net.Conn))
			for n := range 4 {
				all[n] = testenv.Refuse(reply)
			}
			inRig(t, rigConfig{socks: all}, func(r *rig) {
				conn := r.connect()
				defer conn.Close()
				if code, err := rigReply(conn, 80); err != nil || code != reply {
					t.Errorf("reply %d, %v; want %d", code, err, reply)
				}
				told := r.tellings(policy.Request, policy.Refused)
				if len(told) != times {
					t.Errorf("told %+v, want %d refusals", told, times)
				}
				for n, ev := range told {
					if ev.Elsewhere || ev.Reply != reply || ev.Destination == 0 || n > 0 && ev.endpoint == told[0].endpoint {
						t.Errorf("told %+v", ev)
					}
				}
				for n := range r.hosts {
					if s := r.state(n); s != policy.Active {
						t.Errorf("endpoint %d is %v, for a destination that is down", n, s)
					}
				}
			})
		})
	}
}

// TestSilenceBeforeTheFirstByte takes the path away between the grant and the
// first byte. That the request works elsewhere is told when it has worked there.
func TestSilenceBeforeTheFirstByte(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		var answered time.Time
		r.serve(80, func(c net.Conn) {
			if _, err := c.Read(make([]byte, 4096)); err == nil {
				time.Sleep(300 * time.Millisecond)
				answered = time.Now()
				_, _ = io.WriteString(c, "x")
			}
		})
		lost := r.first("a")
		c := r.mustOpen("a", "site.lab:80")
		defer c.Close()
		r.forget(lost, blocker.Discard) // new connections pass
		if b, err := exchange(c, get); b != "x" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		synctest.Wait()
		elsewhere := 0
		for _, ev := range r.tellings(policy.Transfer, policy.Silent) {
			if ev.endpoint != lost {
				t.Errorf("told %+v, of another endpoint than %d", ev, lost)
			}
			if ev.Elsewhere {
				if elsewhere++; ev.At.Before(answered) {
					t.Errorf("told %v before it was answered elsewhere", answered.Sub(ev.At))
				}
			}
		}
		if elsewhere != 1 {
			t.Errorf("told %d times that it works elsewhere, want once", elsewhere)
		}
		if s := r.server.Stats(); s.Moved != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestOwnHostIsNoEvidence fails dials by errors of our own host, which tell
// nothing of any endpoint, and by such as come from the way there.
func TestOwnHostIsNoEvidence(t *testing.T) {
	for _, c := range []struct {
		err  error
		want policy.Outcome // None: nothing is told
	}{
		{syscall.ENETUNREACH, policy.None},
		{syscall.ENETDOWN, policy.None},
		{syscall.EMFILE, policy.None},
		{syscall.ENFILE, policy.None},
		{syscall.EADDRNOTAVAIL, policy.None},
		{syscall.ENOBUFS, policy.None},
		{syscall.ENOMEM, policy.None},
		{syscall.EACCES, policy.None},
		{syscall.EPERM, policy.None},
		{&net.DNSError{Err: "no such host"}, policy.None},
		{io.ErrNoProgress, policy.None}, // and whatever else is not known
		{syscall.ECONNREFUSED, policy.Reset},
		{syscall.EHOSTUNREACH, policy.Rejected},
		{syscall.ETIMEDOUT, policy.Silent},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			var failing atomic.Bool
			inRig(t, rigConfig{noProbes: true, interfere: func() error {
				if failing.Load() {
					return &net.OpError{Op: "dial", Net: "tcp", Err: c.err}
				}
				return nil
			}, relay: relay.Config{Patience: 3 * time.Second}}, func(r *rig) {
				failing.Store(true)
				if _, err := r.open("a", "site.lab:80"); err == nil {
					t.Error("granted by nobody")
				}
				failing.Store(false)
				r.mu.Lock()
				defer r.mu.Unlock()
				if (len(r.told) > 0) != (c.want != policy.None) {
					t.Errorf("told %d things: %+v", len(r.told), r.told)
				}
				for _, ev := range r.told {
					if ev.Phase != policy.Connect || ev.Outcome != c.want {
						t.Errorf("told %+v, want %v", ev, c.want)
					}
				}
			})
		})
	}
}
