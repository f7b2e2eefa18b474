package testenv_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// echo is a connection to a host of the cloud that sends back what it gets.
func (s *scene) echo(t testing.TB) (net.Conn, *testenv.Host) {
	t.Helper()
	h, err := s.cloud.Host(netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Serve(7, testenv.Echo); err != nil {
		t.Fatal(err)
	}
	c, err := s.dial(h, 7)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, h
}

// timedOut reports whether a dial took too long. A net.Dialer's ends by its
// context, or by the deadline that it has set because of it, whichever comes first.
func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// just reports whether two moments are the same, as far as can be told.
func just(a, b time.Time) bool { return a.Sub(b).Abs() <= worldtest.Tolerance() }

// justAfter reports whether it is this long after a moment: no less, and hardly
// more.
func justAfter(start time.Time, d time.Duration) bool {
	took := time.Since(start)
	return took >= d && took <= d+worldtest.Tolerance()
}

func (s *scene) dial(h *testenv.Host, port uint16) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.isp.DialContext(ctx, "tcp", netip.AddrPortFrom(h.Addr(), port).String())
}

// bounce sends something, and waits for it to come back. A kernel tells of a reset
// once, and that may be to who writes.
func bounce(c net.Conn, size int) error {
	sent, got := bytes.Repeat([]byte("x"), size), make([]byte, size)
	wrote := make(chan error, 1)
	go func() {
		_, err := c.Write(sent)
		wrote <- err
	}()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := io.ReadFull(c, got)
	if err == nil && !bytes.Equal(sent, got) {
		return errors.New("other bytes came back")
	}
	if errors.Is(err, io.EOF) {
		return errors.Join(err, <-wrote)
	}
	if n > 0 && err != nil {
		return errors.Join(io.ErrUnexpectedEOF, err)
	}
	return err
}

// rule has the ISP obey a rule from now on.
func (s *scene) rule(r blocker.Rule) blocker.RuleID {
	id, err := s.isp.Add(r)
	if err != nil {
		panic(err)
	}
	return id
}

// under is a rule for one host.
func under(h *testenv.Host, do blocker.Action) blocker.Rule {
	return blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{netip.PrefixFrom(h.Addr(), 32)}}, Do: do}
}

func TestActionsOnLiveTraffic(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		do   blocker.Action
		live error // of a stream that was open before
		dial error // of a dial afterwards
	}{
		{"drop", blocker.Drop(), os.ErrDeadlineExceeded, context.DeadlineExceeded},
		{"reset", blocker.Reset(), syscall.ECONNRESET, syscall.ECONNREFUSED},
		{"reject", blocker.Reject(), os.ErrDeadlineExceeded, syscall.EHOSTUNREACH},
		{"freeze", blocker.Freeze(16 << 10), os.ErrDeadlineExceeded, nil},
		{"police", blocker.Police(1 << 20), nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			worldtest.Run(t, func(t *testing.T) {
				s := newScene(t, testenv.ISPConfig{Latency: 10 * time.Millisecond})
				c, h := s.echo(t)
				other, _ := s.echo(t)
				if err := bounce(c, 5000); err != nil {
					t.Fatalf("before: %v", err)
				}
				id := s.rule(under(h, test.do))
				hit := time.Now()
				if err := bounce(c, 50_000); !errors.Is(err, test.live) {
					t.Errorf("live stream: %v, want %v", err, test.live)
				}
				d, err := s.dial(h, 7)
				if !errors.Is(err, test.dial) && !(errors.Is(test.dial, context.DeadlineExceeded) && timedOut(err)) {
					t.Errorf("dial: %v, want %v", err, test.dial)
				}
				if err == nil {
					_ = d.Close()
				}
				if err := bounce(other, 50_000); err != nil {
					t.Errorf("a stream to elsewhere: %v", err)
				}
				l := s.Ledger()
				first := l.FirstDropped("north", h.Addr())
				flow, ok := l.Hit(netip.MustParseAddrPort(c.LocalAddr().String()))
				if test.live != nil && (!ok || flow.Rule != id || !flow.Established || !first.Equal(flow.First) || first.Before(hit)) {
					t.Errorf("hit %+v, %v; first dropped %v", flow, ok, first)
				}
				if _, ok := l.Hit(netip.MustParseAddrPort(other.LocalAddr().String())); ok {
					t.Error("the other stream is said to be hit")
				}
				if p := l.Path("north", netip.AddrPortFrom(h.Addr(), 7)); test.dial != nil && p.Blocked != 1 || p.Dials != 2 {
					t.Errorf("%+v", p)
				}
				s.isp.Remove(id)
				if d, err = s.dial(h, 7); err != nil {
					t.Fatalf("afterwards: %v", err)
				}
				if err := bounce(d, 50_000); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				_ = d.Close()
			})
		})
	}
}

func TestDroppedStreamGoesOnWhenTheRuleIsGone(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{Latency: 10 * time.Millisecond})
		c, h := s.echo(t)
		ids, err := s.isp.Replace([]blocker.Rule{under(h, blocker.Drop())})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(3*time.Second, func() { s.isp.Remove(ids[0]) })
		if err := bounce(c, 50_000); err != nil {
			t.Error(err)
		}
	})
}

func TestPolicedRate(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		for _, rate := range []float64{16 << 10, 1 << 20} {
			s := newScene(t, testenv.ISPConfig{Latency: 10 * time.Millisecond})
			h, _ := s.cloud.Host(netip.Addr{})
			_ = h.Serve(80, func(c net.Conn) { _, _ = c.Write(make([]byte, int(20*rate))) })
			s.rule(under(h, blocker.Police(rate)))
			c, err := s.dial(h, 80)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			n, err := io.Copy(io.Discard, c)
			got := float64(n) / time.Since(start).Seconds()
			if err != nil || got < 0.8*rate || got > 1.2*rate {
				t.Errorf("%.0f B/s: %d bytes at %.0f B/s, %v", rate, n, got, err)
			}
			_ = c.Close()
		}
	})
}

func TestCut(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{Latency: 10 * time.Millisecond})
		c, h := s.echo(t)
		upstream.Tune(c)
		s.isp.Cut()
		if err := bounce(c, 100); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("cut: %v", err)
		}
		if _, err := s.dial(h, 7); !timedOut(err) {
			t.Errorf("dial while cut: %v", err)
		}
		s.isp.Restore()
		_ = c.SetReadDeadline(time.Now().Add(1200*time.Millisecond + worldtest.Tolerance()))
		if _, err := io.ReadFull(c, make([]byte, 100)); err != nil {
			t.Errorf("restored: %v", err)
		}
		l := s.Ledger()
		if len(l.Hits) != 0 || l.Lost == 0 || len(l.Outages) != 1 || !just(l.Outages[0].Until, l.Outages[0].From.Add(15*time.Second)) {
			t.Errorf("hits %v, lost %d, outages %v", l.Hits, l.Lost, l.Outages)
		}
	})
}

func TestLossSlowsAndDoesNotBreak(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{Latency: 10 * time.Millisecond, Loss: 0.05})
		for range 20 {
			c, err := s.dial(s.endpoint, 1080)
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
		}
		c, _ := s.echo(t)
		for range 50 {
			if err := bounce(c, 20_000); err != nil {
				t.Fatal(err)
			}
		}
		if l := s.Ledger(); l.Lost == 0 || len(l.Hits) != 0 {
			t.Errorf("%d packets lost, hits %v", l.Lost, l.Hits)
		}
	})
}

func TestMachinesAndProcessesFail(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{Latency: 10 * time.Millisecond})
		c, h := s.echo(t)
		h.Hang()
		if err := bounce(c, 100); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("hung: %v", err)
		}
		if d, err := s.dial(h, 7); err != nil {
			t.Errorf("dial to a hung process: %v", err)
		} else {
			_ = d.Close()
		}
		_ = h.Start()
		_ = c.SetReadDeadline(time.Time{})
		if _, err := io.ReadFull(c, make([]byte, 100)); err != nil {
			t.Errorf("resumed: %v", err)
		}
		h.Stop()
		if err := bounce(c, 1); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("stopped: %v", err)
		}
		if _, err := s.dial(h, 7); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial to a stopped process: %v", err)
		}
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		c, err := s.dial(h, 7)
		if err != nil {
			t.Fatal(err)
		}
		h.Vanish()
		if err := bounce(c, 1); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("vanished: %v", err)
		}
		if _, err := s.dial(h, 7); !timedOut(err) {
			t.Errorf("dial to nobody: %v", err)
		}
		_ = c.Close()
	})
}

func TestLaunchDelayAndRelease(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{})
		small := netip.MustParsePrefix("192.0.2.8/31")
		delay := worldtest.Span(time.Minute, 20*time.Second)
		slow := s.World.Cloud("slow", testenv.CloudConfig{Prefixes: []netip.Prefix{small}, LaunchDelay: delay})
		a, err := slow.Launch(testenv.EndpointConfig{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := slow.Launch(testenv.EndpointConfig{})
		if err != nil || a.Addr() == b.Addr() {
			t.Fatalf("%v, %v, %v", a.Addr(), b.Addr(), err)
		}
		if _, err := slow.Launch(testenv.EndpointConfig{}); !errors.Is(err, testenv.ErrNoAddress) {
			t.Errorf("a third in a /31: %v", err)
		}
		if _, err := s.dial(a, 1080); !timedOut(err) {
			t.Errorf("before it is up: %v", err)
		}
		b.Release() // before it is up
		time.Sleep(delay)
		if c, err := s.dial(a, 1080); err != nil {
			t.Errorf("up: %v", err)
		} else {
			_ = c.Close()
		}
		if _, err := s.dial(b, 1080); !timedOut(err) {
			t.Errorf("released: %v", err)
		}
		again, err := slow.Launch(testenv.EndpointConfig{Prefix: netip.MustParsePrefix("192.0.2.0/24")})
		if err != nil || again.Addr() != b.Addr() {
			t.Errorf("the address should be free again: %v", err)
		}
		if _, err := slow.Launch(testenv.EndpointConfig{Prefix: amazon}); !errors.Is(err, testenv.ErrNoAddress) {
			t.Errorf("in a prefix of somebody else: %v", err)
		}
	})
}

func TestBurns(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		hour := worldtest.Span(time.Hour, 100*time.Millisecond)
		s := newScene(t, testenv.ISPConfig{})
		tenant, _ := s.cloud.Tenant("a bakery", 3)
		_, _ = s.cloud.Tenant("another bakery", 1)
		own := netip.PrefixFrom(s.endpoint.Addr(), 32)
		s.Block(own)
		l := s.Ledger()
		if len(l.Burns) != 1 || l.Burns[0].Cause != testenv.Discovered || l.Burns[0].Exposed || len(l.Tenants) != 0 {
			t.Errorf("%+v, tenants %v", l.Burns, l.Tenants)
		}
		time.Sleep(hour)
		around, _ := tenant.Addr.Prefix(24)
		s.Block(around)
		time.Sleep(hour)
		born, err := s.cloud.Launch(testenv.EndpointConfig{Prefix: around})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.isp.Replace(nil); err != nil { // the registry's rule stays
			t.Error(err)
		}
		l = s.Ledger()
		if len(l.Burns) != 2 || l.Burns[1].Cause != testenv.BornBlocked || l.Burns[1].Endpoint.Addr() != born.Addr() {
			t.Errorf("%+v", l.Burns)
		}
		if len(l.Tenants) != 1 || l.Tenants[0].Name != "a bakery" || l.TenantsAt["north"] != 1 || l.Addresses != 257 {
			t.Errorf("tenants %v, %d addresses", l.Tenants, l.Addresses)
		}
	})
}

func TestStrategyHuntsEndpoints(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		minute := worldtest.Span(time.Minute, 2*time.Second)
		s := newScene(t, testenv.ISPConfig{Lag: minute})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() {
			done <- s.Play(ctx, blocker.Escalation{Wanted: blocker.Socks}, minute)
		}()
		worldtest.Settle()
		if _, err := get(s.through(t)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3*minute + worldtest.Tolerance())
		if _, err := s.dial(s.endpoint, 1080); !timedOut(err) {
			t.Errorf("%v", err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestCloseNamesWhatHangs(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		w, err := testenv.Open(testenv.Config{})
		if err != nil {
			t.Fatal(err)
		}
		isp := w.ISP("north", testenv.ISPConfig{})
		release := make(chan struct{})
		site := w.Destination("stubborn.lab", testenv.DestinationConfig{})
		_ = site.Serve(80, func(net.Conn) { <-release })
		if _, err := isp.DialContext(context.Background(), "tcp", "stubborn.lab:80"); err != nil {
			t.Fatal(err)
		}
		worldtest.Settle()
		start := time.Now()
		err = w.Close()
		if err == nil || !strings.Contains(err.Error(), "1 handlers of stubborn.lab port 80") || !justAfter(start, 5*time.Second) {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		close(release)
	})
}

func TestCloseWithDataInFlight(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{Latency: 50 * time.Millisecond})
		c, h := s.echo(t)
		s.rule(under(h, blocker.Drop()))
		go func() { _, _ = io.Copy(c, strings.NewReader(strings.Repeat("x", 1<<20))) }()
		go func() { _, _ = get(s.through(t)) }()
		time.Sleep(80 * time.Millisecond)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// The name of a destination can be read in the CONNECT that goes to the
// endpoint in clear.
func TestNamesAreSeenInsideSocks(t *testing.T) {
	t.Parallel()
	worldtest.Needs(t, worldtest.Names)
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{})
		s.rule(blocker.Rule{When: blocker.When{Names: []string{"telegram.lab"}}, Do: blocker.Reset()})
		if _, err := get(s.through(t)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v", err)
		}
		c, _ := s.echo(t)
		if err := bounce(c, 1000); err != nil {
			t.Errorf("another flow: %v", err)
		}
	})
}
