package exit_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay/exit"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Whoever runs endpoints looks at one through another: the guard lets that pass,
// and refuses what is private; and the reply codes say which of them it was.
func TestLookThroughAnExit(t *testing.T) {
	for _, tc := range []struct {
		name    string
		do      func(suspect *testenv.Host)
		at      string // instead of the suspect's address
		timeout time.Duration
		suspect policy.Outcome
		reply   upstream.Reply
		sight   policy.Sight
	}{
		{name: "runs", suspect: policy.Answered, sight: policy.SeenUp},
		{name: "process dead", do: (*testenv.Host).Stop, suspect: policy.Refused, reply: upstream.ConnectionRefused, sight: policy.SeenDown},
		{name: "process hung", do: (*testenv.Host).Hang, suspect: policy.Silent, sight: policy.SeenDown},
		{name: "host gone", do: (*testenv.Host).Vanish, suspect: policy.Silent, sight: policy.SeenDown},
		{name: "host gone, an impatient exit", do: (*testenv.Host).Vanish, timeout: 500 * time.Millisecond, suspect: policy.Refused, reply: upstream.TTLExpired, sight: policy.SeenDown},
		{name: "private", at: "10.1.2.3", suspect: policy.Refused, reply: upstream.NotAllowed, sight: policy.NoView},
		{name: "loopback", at: "127.0.0.1", suspect: policy.Refused, reply: upstream.NotAllowed, sight: policy.NoView},
		{name: "metadata", at: "169.254.169.254", suspect: policy.Refused, reply: upstream.NotAllowed, sight: policy.NoView},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := testenv.New(testenv.Config{Seed: 1})
				defer func() {
					if err := world.Close(); err != nil {
						t.Error(err)
					}
				}()
				// Everything there is can be reached by exits only.
				isp := world.ISP("north", testenv.ISPConfig{Latency: 20 * time.Millisecond})
				cloud := world.Cloud("amazon", testenv.CloudConfig{
					Prefixes: []netip.Prefix{netip.MustParsePrefix("52.58.0.0/15")}, Latency: 20 * time.Millisecond,
				})
				suspect, err := cloud.Launch(testenv.EndpointConfig{User: "u", Password: "p"})
				if err != nil {
					t.Fatal(err)
				}
				control, err := cloud.Launch(testenv.EndpointConfig{})
				if err != nil {
					t.Fatal(err)
				}
				viewer, end := guarded(t, cloud, tc.timeout)
				defer end()
				s := suspect.Spec()
				if tc.at != "" {
					s.Host, s.Addr = tc.at, netip.MustParseAddr(tc.at)
				}
				if _, err := isp.Add(blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{netip.PrefixFrom(s.Addr, 32)}}}); err != nil {
					t.Fatal(err)
				}
				if tc.do != nil {
					tc.do(suspect)
				}
				p := &probe.Prober{Upstream: &upstream.Dialer{Dial: isp.DialContext}}
				x := p.Probe(t.Context(), s, policy.Look{Doubtful: true, Views: []policy.Viewpoint{{Viewer: viewer, Control: control.Spec()}}})
				if len(x.Views) != 1 {
					t.Fatalf("got %+v", x)
				}
				v := x.Views[0]
				if v.Control != policy.Answered || v.Suspect != tc.suspect || upstream.Reply(v.Reply) != tc.reply || v.Sight() != tc.sight {
					t.Errorf("control %v, suspect %v, reply %d", v.Control, v.Suspect, v.Reply)
				}
			})
		})
	}
}

// guarded runs an exit in the world that dials as one on the internet does, behind
// its guard, and not like the world's own, which trust it.
func guarded(t *testing.T, cloud *testenv.Cloud, timeout time.Duration) (policy.Spec, func()) {
	t.Helper()
	host, err := cloud.Host(netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := host.Listen(1080)
	if err != nil {
		t.Fatal(err)
	}
	var guard exit.Guard
	s := &exit.Server{Open: true, DialTimeout: timeout, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		at, err := netip.ParseAddrPort(address)
		if err == nil {
			err = guard.Check(at.Addr())
		}
		if err != nil {
			return nil, err
		}
		return host.DialContext(ctx, network, address)
	}}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(l); !errors.Is(err, exit.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
	})
	addr := netip.AddrPortFrom(host.Addr(), 1080)
	return policy.Spec{Host: addr.Addr().String(), Addr: addr.Addr(), Port: addr.Port()}, func() {
		_ = s.Close()
		serving.Wait()
	}
}
