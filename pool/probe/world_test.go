package probe_test

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// lab is one ISP and one endpoint, a round trip of 80 ms away.
type lab struct {
	*testenv.World
	isp      *testenv.ISP
	cloud    *testenv.Cloud
	endpoint *testenv.Host
	prober   *probe.Prober
}

func inLab(t *testing.T, f func(t *testing.T, l *lab)) {
	t.Helper()
	inLabAt(t, 80*time.Millisecond, testenv.Config{Seed: 1}, 0, f)
}

// inLabAt is inLab at another distance, with a share of packets lost.
func inLabAt(t *testing.T, rtt time.Duration, c testenv.Config, loss float64, f func(t *testing.T, l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := testenv.New(c)
		defer func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}()
		l := &lab{World: w, isp: w.ISP("north", testenv.ISPConfig{Latency: rtt / 4, Loss: loss})}
		l.cloud = w.Cloud("amazon", testenv.CloudConfig{
			Prefixes: []netip.Prefix{netip.MustParsePrefix("52.58.0.0/15")}, Latency: rtt / 4,
		})
		l.prober = &probe.Prober{Upstream: &upstream.Dialer{Dial: l.isp.DialContext}}
		l.endpoint = l.launch(t)
		f(t, l)
	})
}

func (l *lab) launch(t *testing.T) *testenv.Host {
	t.Helper()
	h, err := l.cloud.Launch(testenv.EndpointConfig{User: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// rule has the ISP obey a rule from now on.
func (l *lab) rule(r blocker.Rule) {
	if _, err := l.isp.Add(r); err != nil {
		panic(err)
	}
}

func (l *lab) block(a blocker.Action) {
	l.rule(blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{netip.PrefixFrom(l.endpoint.Addr(), 32)}}, Do: a})
}

func TestExaminationsOfTheWorld(t *testing.T) {
	for _, tc := range []struct {
		name     string
		do       func(*lab)
		greeting policy.Outcome
		phase    policy.Phase
		carried  policy.Outcome
		most     time.Duration
	}{
		{"well", func(*lab) {}, policy.Answered, 0, policy.Answered, time.Second},
		{"dropped", func(l *lab) { l.block(blocker.Drop()) }, policy.Silent, policy.Connect, policy.None, time.Second},
		{"reset", func(l *lab) { l.block(blocker.Reset()) }, policy.Reset, policy.Connect, policy.None, time.Second},
		{"rejected", func(l *lab) { l.block(blocker.Reject()) }, policy.Rejected, policy.Connect, policy.None, time.Second},
		{"frozen after 16 KiB", func(l *lab) { l.block(blocker.Freeze(16 << 10)) }, policy.Answered, 0, policy.Stalled, 2 * time.Second},
		{"policed to 16 KiB/s", func(l *lab) { l.block(blocker.Police(16 << 10)) }, policy.Answered, 0, policy.Slowed, 4 * time.Second},
		{"process stopped", func(l *lab) { l.endpoint.Hang() }, policy.Silent, policy.Greeting, policy.None, 1100 * time.Millisecond},
		{"process dead", func(l *lab) { l.endpoint.Stop() }, policy.Reset, policy.Connect, policy.None, time.Second},
		{"host dead", func(l *lab) { l.endpoint.Vanish() }, policy.Silent, policy.Connect, policy.None, time.Second},
		{"our own network", func(l *lab) { l.isp.Cut() }, policy.Silent, policy.Connect, policy.None, time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				tc.do(l)
				x := l.prober.Probe(t.Context(), l.endpoint.Spec(), policy.Look{Depth: policy.Carry})
				if x.Greeting != tc.greeting || x.Phase != tc.phase || x.Down.Outcome != tc.carried {
					t.Errorf("greeting %v (%v), carried %v after %d bytes: %v", x.Greeting, x.Phase, x.Down.Outcome, x.Down.Bytes, x.Err)
				}
				if took := x.At.Sub(x.Asked); took > tc.most {
					t.Errorf("took %v, want %v at most", took, tc.most)
				}
				if tc.greeting == policy.Answered && x.RTT != 80*time.Millisecond {
					t.Errorf("RTT %v", x.RTT)
				}
				if strings.HasPrefix(tc.name, "policed") && (x.Down.Rate < 10<<10 || x.Down.Rate > 30<<10) {
					t.Errorf("rate %.0f B/s", x.Down.Rate)
				}
				if strings.HasPrefix(tc.name, "frozen") && (x.Down.Bytes < 8<<10 || x.Down.Bytes > 16<<10) {
					t.Errorf("stalled after %d bytes", x.Down.Bytes)
				}
			})
		})
	}
}

// A refusal says nothing of an endpoint until the target is known, from another
// one, to be well.
func TestConfiguredTargetInTheWorld(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		site := l.Destination("target.lab", testenv.DestinationConfig{Latency: 5 * time.Millisecond})
		if err := site.Serve(80, serveHTTP(1<<20, 1<<20, 0)); err != nil {
			t.Fatal(err)
		}
		bare, err := l.cloud.Host(netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		if err := bare.Serve(1080, testenv.Refuse(4)); err != nil {
			t.Fatal(err)
		}
		target, err := probe.ParseTarget("http://target.lab/big")
		if err != nil {
			t.Fatal(err)
		}
		l.prober.Targets = []probe.Target{target}
		mute := spec(t, netip.AddrPortFrom(bare.Addr(), 1080).String())
		if x := l.prober.Probe(t.Context(), mute, policy.Look{Depth: policy.Carry}); x.Greeting != policy.Answered || x.Down.Outcome != policy.None {
			t.Errorf("at first: %v, %v, %v", x.Greeting, x.Down.Outcome, x.Err)
		}
		// An endpoint of our own answers for the reserved name before it comes to
		// the target; one that does not know the name is asked for the target.
		foreign := l.launchForeign(t)
		if x := l.prober.Probe(t.Context(), foreign, policy.Look{Depth: policy.Carry}); x.Down.Outcome != policy.Answered {
			t.Errorf("through another: %v, %v", x.Down.Outcome, x.Err)
		}
		if x := l.prober.Probe(t.Context(), mute, policy.Look{Depth: policy.Carry}); x.Down.Outcome != policy.Refused || x.Down.Reply != 4 {
			t.Errorf("then: %v, reply %d, %v", x.Down.Outcome, x.Down.Reply, x.Err)
		}
	})
}

// launchForeign launches an endpoint that does not know the reserved name.
func (l *lab) launchForeign(t *testing.T) policy.Spec {
	t.Helper()
	h, err := l.cloud.Host(netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	serve := socks(func(destination string) (byte, func(net.Conn)) {
		out, err := h.DialContext(t.Context(), "tcp", destination)
		if err != nil {
			return 4, nil
		}
		return 0, func(c net.Conn) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = io.Copy(out, c)
				out.Close()
			}()
			_, _ = io.Copy(c, out)
			c.Close()
			<-done
		}
	})
	if err := h.Serve(1080, serve); err != nil {
		t.Fatal(err)
	}
	return spec(t, netip.AddrPortFrom(h.Addr(), 1080).String())
}
