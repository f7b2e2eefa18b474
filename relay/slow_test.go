package relay_test

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// flow opens a stream of client's that moves as much as it can, until the rig
// ends or something ends it.
func flow(r *rig, client string, up bool) net.Conn {
	c := r.mustOpen(client, map[bool]string{false: "site.lab:80", true: "site.lab:81"}[up])
	go func() {
		if up {
			_, _ = c.Write(make([]byte, 64<<20))
		} else if _, err := io.WriteString(c, get); err == nil {
			_, _ = io.Copy(io.Discard, c)
		}
	}()
	return c
}

func TestPolicedFlowIsADoubt(t *testing.T) {
	for _, bits := range []float64{16e3, 64e3, 256e3} {
		for _, up := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v bit/s, up %v", bits, up), func(t *testing.T) {
				inRig(t, rigConfig{}, func(r *rig) {
					r.serve(80, gush)
					r.serve(81, gulp)
					n := r.first("a")
					r.rule(n, blocker.Police(bits/8))
					began := time.Now()
					c, other := flow(r, "a", up), flow(r, "a", up)
					defer c.Close()
					defer other.Close()
					time.Sleep(50 * time.Second)
					all := r.tellings(policy.Transfer, policy.Slowed)
					if len(all) != 1 {
						t.Errorf("told %+v, want once in a minute", all)
					} else if ev := all[0]; ev.endpoint != n || max(ev.Bytes, ev.Sent) < 16<<10 || ev.At.Sub(began) > 5*time.Second {
						t.Errorf("told %+v after %v", ev, ev.At.Sub(began))
					}
					for _, ev := range r.tellings(policy.Transfer, policy.Silent, policy.Stalled) {
						t.Errorf("told %+v", ev)
					}
				})
			})
		}
	}
}

// TestShortFlowIsADoubt polices a flow that is over after two seconds.
func TestShortFlowIsADoubt(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, func(c net.Conn) {
			if _, err := io.ReadFull(c, make([]byte, len(get))); err == nil {
				_, _ = c.Write(make([]byte, 64<<10))
			}
		})
		n := r.first("a")
		r.rule(n, blocker.Police(32000))
		began := time.Now()
		defer flow(r, "a", false).Close()
		time.Sleep(10 * time.Second)
		all := r.tellings(policy.Transfer, policy.Slowed)
		if len(all) != 1 || all[0].endpoint != n || all[0].At.Sub(began) > 2*time.Second || all[0].Rate < 28e3 || all[0].Rate > 36e3 {
			t.Errorf("told %+v, want a flow of about 32 kB/s within 2 s", all)
		}
	})
}

// TestOwnLineIsSlow polices every endpoint: the first flow is a doubt, and then
// it is known that all are so.
func TestOwnLineIsSlow(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, gush)
		for n := range r.hosts {
			r.rule(n, blocker.Police(8000))
		}
		told := make(map[int]bool)
		for client := range 8 {
			defer flow(r, fmt.Sprint("client", client), false).Close()
		}
		time.Sleep(3 * time.Minute)
		for _, ev := range r.tellings(policy.Transfer, policy.Slowed) {
			told[ev.endpoint] = true
		}
		if len(told) > 1 {
			t.Errorf("%d endpoints were called slow, want at most the first", len(told))
		}
	})
}

// TestOneIsSlowAmongFastOnes is the same doubt beside flows that show what the
// line carries.
func TestOneIsSlowAmongFastOnes(t *testing.T) {
	inRig(t, rigConfig{}, func(r *rig) {
		r.serve(80, gush)
		slow := r.first("a")
		client := "b"
		for r.first(client) == slow {
			client += "b"
		}
		r.rule(r.first(client), blocker.Police(1e6))
		defer flow(r, client, false).Close()
		time.Sleep(4 * time.Second)
		r.rule(slow, blocker.Police(8000))
		defer flow(r, "a", false).Close()
		time.Sleep(10 * time.Second)
		if all := r.tellings(policy.Transfer, policy.Slowed); len(all) != 1 || all[0].endpoint != slow {
			t.Errorf("told %+v, want that endpoint %d is slow", all, slow)
		}
	})
}
