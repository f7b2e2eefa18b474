package probe_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// What a suspect does towards us and towards others, and what both say.
func TestViews(t *testing.T) {
	for _, tc := range []struct {
		name    string
		do      func(l *lab, viewer, control *testenv.Host)
		control policy.Outcome
		suspect policy.Outcome
		reply   uint8
		sight   policy.Sight
		most    time.Duration
	}{
		{"blocked", func(l *lab, _, _ *testenv.Host) { l.block(blocker.Drop()) }, policy.Answered, policy.Answered, 0, policy.SeenUp, 1500 * time.Millisecond},
		{"reset", func(l *lab, _, _ *testenv.Host) { l.block(blocker.Reset()) }, policy.Answered, policy.Answered, 0, policy.SeenUp, time.Second},
		{"host gone", func(l *lab, _, _ *testenv.Host) { l.endpoint.Vanish() }, policy.Answered, policy.Silent, 0, policy.SeenDown, 1500 * time.Millisecond},
		{"process dead", func(l *lab, _, _ *testenv.Host) { l.endpoint.Stop() }, policy.Answered, policy.Refused, 5, policy.SeenDown, time.Second},
		{"process hung", func(l *lab, _, _ *testenv.Host) { l.endpoint.Hang() }, policy.Answered, policy.Silent, 0, policy.SeenDown, 1700 * time.Millisecond},
		{"viewer blocked too", func(l *lab, viewer, _ *testenv.Host) {
			l.endpoint.Vanish()
			l.rule(blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{netip.PrefixFrom(viewer.Addr(), 32)}}})
		}, policy.Silent, policy.None, 0, policy.NoView, 1500 * time.Millisecond},
		{"control gone too", func(l *lab, _, control *testenv.Host) {
			l.endpoint.Vanish()
			control.Vanish()
		}, policy.Silent, policy.None, 0, policy.NoView, 2500 * time.Millisecond},
		{"control's process dead", func(l *lab, _, control *testenv.Host) {
			l.endpoint.Vanish()
			control.Stop()
		}, policy.Refused, policy.None, 0, policy.NoView, 1500 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				viewer, control := l.launch(t), l.launch(t)
				tc.do(l, viewer, control)
				look := doubtful
				look.Views = []policy.Viewpoint{{Viewer: viewer.Spec(), Control: control.Spec()}}
				x := l.prober.Probe(t.Context(), l.endpoint.Spec(), look)
				if len(x.Views) != 1 {
					t.Fatalf("%d views", len(x.Views))
				}
				v := x.Views[0]
				if v.Control != tc.control || v.Suspect != tc.suspect || v.Reply != tc.reply || v.Sight() != tc.sight {
					t.Errorf("control %v, suspect %v (reply %d)", v.Control, v.Suspect, v.Reply)
				}
				if v.Through != viewer.Spec().Name() || v.Asked.Before(x.Asked) || v.At.Before(v.Asked) || v.At.After(x.At) {
					t.Errorf("got %+v", v)
				}
				if took := x.At.Sub(x.Asked); took > tc.most {
					t.Errorf("took %v, want %v at most", took, tc.most)
				}
				if x.Greeting == policy.Answered || x.Tries != 5 || x.Failures != 5 {
					t.Errorf("greeting %v, %d of %d tries failed", x.Greeting, x.Failures, x.Tries)
				}
			})
		})
	}
}

// Where the endpoint answers from here nobody has to say that it runs.
func TestNoViewOfWhatAnswers(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		viewer := l.launch(t)
		look := policy.Look{Depth: policy.Greet, Views: []policy.Viewpoint{{Viewer: viewer.Spec()}}}
		x := l.prober.Probe(t.Context(), l.endpoint.Spec(), look)
		if x.Greeting != policy.Answered || len(x.Views) != 0 || x.At.Sub(x.Asked) > 300*time.Millisecond {
			t.Errorf("got %+v", x)
		}
	})
}

// Without a third endpoint the viewer is asked for what it serves itself, or a
// target that it is known to reach.
func TestControlWithoutThirdEndpoint(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		own, foreign := l.launch(t).Spec(), l.launchForeign(t)
		site := l.Destination("target.lab", testenv.DestinationConfig{Latency: 5 * time.Millisecond})
		if err := site.Serve(80, serveHTTP(1<<20, 1<<20, 0)); err != nil {
			t.Fatal(err)
		}
		l.block(blocker.Drop())
		for _, tc := range []struct {
			name    string
			viewer  policy.Spec
			targets []probe.Target
			control policy.Outcome
		}{
			{"own", own, nil, policy.Answered},
			{"foreign", foreign, nil, policy.Refused},
			{"foreign, with a target", foreign, []probe.Target{{Host: "target.lab", Port: 80}}, policy.Answered},
			{"with a dead target", foreign, []probe.Target{{Host: "target.lab", Port: 81}}, policy.Refused},
		} {
			p := &probe.Prober{Upstream: l.prober.Upstream, Targets: tc.targets}
			x := p.Probe(t.Context(), l.endpoint.Spec(), policy.Look{Doubtful: true, Views: []policy.Viewpoint{{Viewer: tc.viewer}}})
			if len(x.Views) != 1 || x.Views[0].Control != tc.control || (x.Views[0].Sight() == policy.SeenUp) != (tc.control == policy.Answered) {
				t.Errorf("%s: got %+v", tc.name, x.Views)
			}
		}
	})
}

// Nobody who is looked through gets to see the suspect's credentials, and the
// suspect is offered both methods.
func TestNoCredentialsThroughOthers(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		suspect, err := l.cloud.Host(netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var heard [][]byte
		if err := suspect.Serve(1080, func(c net.Conn) {
			b := make([]byte, 64)
			n, _ := c.Read(b)
			_, _ = c.Write([]byte{5, 2})
			m, _ := c.Read(b[n:])
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, b[:n+m])
		}); err != nil {
			t.Fatal(err)
		}
		l.rule(blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{netip.PrefixFrom(suspect.Addr(), 32)}}})
		s := spec(t, "socks5://me:hunter2@"+netip.AddrPortFrom(suspect.Addr(), 1080).String()+" owner=me")
		viewer := l.launch(t).Spec()
		viewer.Owner = "me"
		x := l.prober.Probe(t.Context(), s, policy.Look{Doubtful: true, Views: []policy.Viewpoint{{Viewer: viewer}}})
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if policy.Seen(x.Views) != policy.SeenUp || len(heard) == 0 {
			t.Errorf("views %+v, heard %q", x.Views, heard)
		}
		for _, h := range heard {
			if string(h) != "\x05\x02\x00\x02" {
				t.Errorf("it was sent %q", h)
			}
		}
	})
}

// A viewer that has no IPv6 says nothing of what is on IPv6.
func TestViewerWithoutIPv6(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		bare, err := l.cloud.Host(netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		if err := bare.Serve(1080, testenv.Refuse(3)); err != nil {
			t.Fatal(err)
		}
		viewer := spec(t, netip.AddrPortFrom(bare.Addr(), 1080).String())
		x := l.prober.Probe(t.Context(), spec(t, "[2001:db8::1]:1080"), policy.Look{Doubtful: true, Views: []policy.Viewpoint{{Viewer: viewer, Control: l.endpoint.Spec()}}})
		if policy.Seen(x.Views) != policy.NoView {
			t.Errorf("views %+v", x.Views)
		}
	})
}

func TestEgress(t *testing.T) {
	for _, tc := range []struct {
		name  string
		do    func(l *lab, other *testenv.Host)
		want  policy.Outcome
		reply uint8
	}{
		{"well", func(*lab, *testenv.Host) {}, policy.Answered, 0},
		{"no way out", func(l *lab, _ *testenv.Host) { l.endpoint.Stop(); l.serveRefusal(1) }, policy.Refused, 1},
		{"the other is dead", func(_ *lab, other *testenv.Host) { other.Stop() }, policy.Refused, 5},
		{"the other is gone", func(_ *lab, other *testenv.Host) { other.Vanish() }, policy.Silent, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				other := l.launch(t)
				tc.do(l, other)
				look, egress := doubtful, other.Spec()
				look.Egress = &egress
				x := l.prober.Probe(t.Context(), l.endpoint.Spec(), look)
				if x.Greeting != policy.Answered || x.Egress != tc.want || x.EgressReply != tc.reply {
					t.Errorf("greeting %v, egress %v, reply %d: %v", x.Greeting, x.Egress, x.EgressReply, x.Err)
				}
				if took := x.At.Sub(x.Asked); took > 2500*time.Millisecond {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// serveRefusal makes the stopped endpoint one that answers every request with an
// error.
func (l *lab) serveRefusal(reply byte) {
	_ = l.endpoint.Serve(1080, testenv.Refuse(reply))
	_ = l.endpoint.Start()
}

// What is slow is compared with what goes through another at the same time.
func TestUsual(t *testing.T) {
	for _, rtt := range []time.Duration{20, 80, 300} {
		for _, rate := range []float64{2000, 8000, 16000, 32000} {
			inLabAt(t, rtt*time.Millisecond, testenv.Config{Seed: 1}, 0, func(t *testing.T, l *lab) {
				viewer := l.launch(t)
				look := doubtful
				look.Views = []policy.Viewpoint{{Viewer: viewer.Spec()}}
				if x := l.prober.Probe(t.Context(), l.endpoint.Spec(), look); x.Usual != 0 && rtt < 300 {
					t.Errorf("compared with %.0f B/s although nothing is slow", x.Usual)
				}
				l.block(blocker.Police(rate))
				before := l.spent(l.endpoint) + l.spent(viewer)
				x := l.prober.Probe(t.Context(), l.endpoint.Spec(), look)
				c := policy.Conclude(x)
				// Half of what the path allows is not throttled.
				if slow := rate < policy.Allowed(64<<10, x.RTT, 0)/4; slow != (c.Verdict == policy.Throttled) {
					t.Errorf("%v ms, %.0f B/s: %v, %v at %.0f B/s, through another %.0f B/s", rtt, rate, c, x.Down.Outcome, x.Down.Rate, x.Usual)
				}
				if n := l.spent(l.endpoint) + l.spent(viewer) - before; n > 256<<10 {
					t.Errorf("%v ms, %.0f B/s: %d bytes spent", rtt, rate, n)
				}
			})
		}
	}
}

// If the caller loses patience, nothing is left behind.
func TestCancelledViews(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		viewer, control := l.launch(t), l.launch(t)
		l.endpoint.Vanish()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		look := doubtful
		look.Views = []policy.Viewpoint{{Viewer: viewer.Spec(), Control: control.Spec()}}
		x := l.prober.Probe(ctx, l.endpoint.Spec(), look)
		if x.Greeting != policy.None || x.At.Sub(x.Asked) > 500*time.Millisecond || policy.Seen(x.Views) != policy.NoView {
			t.Errorf("got %+v", x)
		}
		time.Sleep(10 * time.Second)
		if n := viewer.Connections() + control.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}
