package testenv_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/proxy"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// sessions is a scene for whole sessions through an endpoint: dial, greeting,
// password, CONNECT, a byte each way, close.
func sessions(t testing.TB, latency time.Duration) (run, end func() error) {
	w := testenv.New(testenv.Config{})
	isp := w.ISP("north", testenv.ISPConfig{Latency: latency})
	cloud := w.Cloud("amazon", testenv.CloudConfig{Prefixes: []netip.Prefix{amazon}, Latency: latency})
	e, err := cloud.Launch(testenv.EndpointConfig{User: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	_ = w.Destination("telegram.lab", testenv.DestinationConfig{Latency: latency}).Serve(7, testenv.Echo)
	d, err := proxy.SOCKS5("tcp", e.Spec().Address(), &proxy.Auth{User: "u", Password: "p"}, vantage{isp})
	if err != nil {
		t.Fatal(err)
	}
	return func() error {
		c, err := d.(proxy.ContextDialer).DialContext(context.Background(), "tcp", "telegram.lab:7")
		if err != nil {
			return err
		}
		defer c.Close()
		var one [1]byte
		if _, err := c.Write(one[:]); err != nil {
			return err
		}
		_, err = io.ReadFull(c, one[:])
		return err
	}, w.Close
}

func BenchmarkSession(b *testing.B) {
	run, end := sessions(b, 0)
	b.ReportAllocs()
	for b.Loop() {
		if err := run(); err != nil {
			b.Fatal(err)
		}
	}
	if err := end(); err != nil {
		b.Fatal(err)
	}
}

// An hour of virtual time with 20 clients; the log tells what it cost.
func TestAnHourOfSessions(t *testing.T) {
	t.Parallel()
	worldtest.Needs(t, worldtest.Hours)
	const clients, each = 20, 100
	start := time.Now()
	worldtest.Run(t, func(t *testing.T) {
		run, end := sessions(t, 10*time.Millisecond)
		var wg sync.WaitGroup
		for n := range clients {
			wg.Go(func() {
				time.Sleep(time.Duration(n) * time.Millisecond)
				for range each {
					if err := run(); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Hour / each)
				}
			})
		}
		wg.Wait()
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%d sessions: %.0f per second of real time", clients*each, clients*each/time.Since(start).Seconds())
}

// One flow through a border without rules.
func BenchmarkFlow(b *testing.B) {
	w := testenv.New(testenv.Config{})
	defer func() { _ = w.Close() }()
	isp := w.ISP("north", testenv.ISPConfig{})
	cloud := w.Cloud("amazon", testenv.CloudConfig{Prefixes: []netip.Prefix{amazon}})
	h, _ := cloud.Host(netip.Addr{})
	_ = h.Serve(9, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	c, err := isp.DialContext(context.Background(), "tcp", netip.AddrPortFrom(h.Addr(), 9).String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	chunk := make([]byte, 64<<10)
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
}
