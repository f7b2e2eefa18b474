package testenv_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/proxy"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

var amazon = netip.MustParsePrefix("52.58.0.0/15")

// scene is one ISP, one cloud with one endpoint, and a destination that serves
// pages.
type scene struct {
	*testenv.World
	isp      *testenv.ISP
	cloud    *testenv.Cloud
	endpoint *testenv.Host
	site     *testenv.Host
}

func newScene(t testing.TB, isp testenv.ISPConfig) *scene {
	t.Helper()
	w, err := testenv.Open(testenv.Config{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &scene{World: w}
	isp.Latency = worldtest.Far(isp.Latency)
	s.isp = w.ISP("north", isp)
	s.cloud = w.Cloud("amazon", testenv.CloudConfig{Prefixes: []netip.Prefix{amazon}, Latency: worldtest.Far(15 * time.Millisecond), PricePerHour: 0.01})
	s.endpoint, err = s.cloud.Launch(testenv.EndpointConfig{User: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	s.site = w.Destination("telegram.lab", testenv.DestinationConfig{Latency: worldtest.Far(5 * time.Millisecond)})
	l, err := s.site.Listen(80)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, "hello from telegram.lab\n")
	})}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return s
}

// Ledger is the world's. A kernel's border tells what it has done a moment later.
func (s *scene) Ledger() testenv.Ledger {
	if worldtest.RealTime() {
		worldtest.Settle()
	}
	return s.World.Ledger()
}

// through is a client that reaches destinations by the endpoint.
func (s *scene) through(t testing.TB) *http.Client {
	t.Helper()
	spec := s.endpoint.Spec()
	d, err := proxy.SOCKS5("tcp", spec.Address(), &proxy.Auth{User: spec.User, Password: spec.Password}, vantage{s.isp})
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: &http.Transport{
		DialContext:       d.(proxy.ContextDialer).DialContext,
		DisableKeepAlives: true,
	}}
}

func get(c *http.Client) (string, error) {
	resp, err := c.Get("http://telegram.lab/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestRequestThroughEndpoint(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{Latency: 10 * time.Millisecond})
		start := time.Now()
		if body, err := get(s.through(t)); err != nil || body != "hello from telegram.lab\n" {
			t.Fatalf("%q, %v", body, err)
		}
		// TCP, greeting, password, CONNECT, request: five round trips of 50 ms
		// to the endpoint, two of 10 ms from there.
		if took, want := time.Since(start), worldtest.Far(270*time.Millisecond); took < want || took > want+worldtest.Tolerance() {
			t.Errorf("took %v", took)
		}
		l := s.Ledger()
		p := l.Path("north", netip.AddrPortFrom(s.endpoint.Addr(), 1080))
		if p.Dials != 1 || p.Connections != 1 || p.Up == 0 || p.Down == 0 || p.Dropped != 0 {
			t.Errorf("%+v", p)
		}
		if len(l.Directs) != 0 || len(l.Burns) != 0 {
			t.Errorf("%+v %+v", l.Directs, l.Burns)
		}
	})
}

func TestRequestInRealTime(t *testing.T) {
	t.Parallel()
	s := newScene(t, testenv.ISPConfig{})
	if body, err := get(s.through(t)); err != nil || body != "hello from telegram.lab\n" {
		t.Fatalf("%q, %v", body, err)
	}
}

func TestRegistryIsAppliedWithLag(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		lag := worldtest.Span(time.Hour, 6*time.Second)
		early := time.Second + worldtest.Tolerance()
		s := newScene(t, testenv.ISPConfig{Lag: lag, Apply: blocker.Reset()})
		c := s.through(t)
		s.Block(amazon)
		time.Sleep(lag - early)
		if _, err := get(c); err != nil {
			t.Fatalf("before the lag is over: %v", err)
		}
		time.Sleep(2 * early)
		if _, err := get(c); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("afterwards: %v", err)
		}
		l := s.Ledger()
		if l.Addresses != 1<<17 || len(l.Burns) != 1 || l.Burns[0].Cause != testenv.ByPrefix || !l.Burns[0].Exposed {
			t.Errorf("%d addresses, burns %+v", l.Addresses, l.Burns)
		}
		s.Unblock(amazon)
		time.Sleep(lag + early)
		if _, err := get(c); err != nil {
			t.Fatalf("unblocked: %v", err)
		}
		if l := s.Ledger(); l.Addresses != 0 || l.Spent < 1.9*lag.Hours()*0.01 {
			t.Errorf("%d addresses, %v spent", l.Addresses, l.Spent)
		}
	})
}

func TestDirectDialIsNoted(t *testing.T) {
	t.Parallel()
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{})
		c, err := s.isp.DialContext(context.Background(), "tcp", "telegram.lab:80")
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		if d := s.Ledger().Directs; len(d) != 1 || d[0].Address != "telegram.lab:80" {
			t.Errorf("%+v", d)
		}
	})
}

// The books outlive the world, and what a world was made without is said.
func TestLedgerOfAClosedWorld(t *testing.T) {
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{})
		c, h := s.echo(t)
		if err := bounce(c, 50_000); err != nil {
			t.Fatal(err)
		}
		before := s.Ledger().Path("north", netip.AddrPortFrom(h.Addr(), 7))
		s.Cloud("far", testenv.CloudConfig{Prefixes: []netip.Prefix{netip.MustParsePrefix("35.192.0.0/12")}, Latency: time.Second})
		if left := len(s.Omitted()) > 0; left != (s.Backend() == testenv.Kernel) {
			t.Errorf("left out: %q", s.Omitted())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		after := s.Ledger().Path("north", netip.AddrPortFrom(h.Addr(), 7))
		if before.Down < 50_000 || after.Down < before.Down || after.Up < before.Up || after.Dials != 1 {
			t.Errorf("before %+v, after %+v", before, after)
		}
	})
}
