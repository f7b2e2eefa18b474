package failure_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// TestSimulatedHour runs relay, pool, probes and endpoints through an hour in
// which one client opens 2,000 streams. How long that takes is logged; what it
// must be is that none of them fails.
func TestSimulatedHour(t *testing.T) {
	t.Parallel()
	worldtest.Needs(t, worldtest.Hours)
	const streams = 2000
	began := time.Now()
	worldtest.Run(t, func(t *testing.T) {
		w := testenv.New(testenv.Config{Seed: 1})
		cloud := w.Cloud("amazon", testenv.CloudConfig{
			Prefixes: []netip.Prefix{netip.MustParsePrefix("52.58.0.0/15")}, Latency: oneWay,
		})
		isp := w.ISP("isp", testenv.ISPConfig{Latency: oneWay})
		site := w.Destination("site.lab", testenv.DestinationConfig{})
		serve(t, site, 9, func(c net.Conn) { _, _ = io.CopyN(c, c, 64) })
		dialer := &upstream.Dialer{Dial: isp.DialContext}
		p, err := pool.New(pool.Config{Prober: &probe.Prober{Upstream: dialer}})
		if err != nil {
			t.Fatal(err)
		}
		for range 16 {
			h, err := cloud.Launch(testenv.EndpointConfig{})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Add(h.Spec()); err != nil {
				t.Fatal(err)
			}
		}
		server, err := relay.New(relay.Config{Pool: p, Upstream: dialer})
		if err != nil {
			t.Fatal(err)
		}
		l, err := isp.Listen("tcp", "127.0.0.1:1080")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = p.Run(ctx) })
		running.Go(func() {
			if err := server.Serve(l); !errors.Is(err, relay.ErrServerClosed) {
				t.Errorf("Serve: %v", err)
			}
		})
		a := &arena{t: t, isp: isp}
		for n := range streams {
			if err := a.oneStream(); err != nil {
				t.Fatalf("stream %d: %v", n, err)
			}
			time.Sleep(time.Hour/streams - 7*rtt)
		}
		if s := server.Stats(); s.Granted != streams || s.Cut != 0 {
			t.Errorf("%d streams granted and %d cut, want %d and 0", s.Granted, s.Cut, streams)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		running.Wait()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("an hour with %d streams took %v", streams, time.Since(began).Round(time.Millisecond))
}

// oneStream opens a stream, and has 64 bytes echoed.
func (a *arena) oneStream() error {
	c, err := a.open(context.Background(), "client", "site.lab:9")
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write(make([]byte, 64)); err != nil {
		return err
	}
	if n, err := io.Copy(io.Discard, c); n != 64 || err != nil {
		return fmt.Errorf("%d bytes came back: %w", n, err)
	}
	return nil
}
