package relay_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/relay/exit"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// BenchmarkStorm is whole requests, one after the other, while 10,000 endpoints
// are retired within a second, all but a few, and in a second of calm before. An op
// is one such storm; what counts are the slowest requests.
func BenchmarkStorm(b *testing.B) {
	const endpoints, spared = 10_000, 8
	network := memnet.New(nil)
	host := func(addr string) *memnet.Host {
		h, err := network.Host(netip.MustParseAddr(addr))
		if err != nil {
			b.Fatal(err)
		}
		return h
	}
	home, site, front := host("192.168.1.2"), host("93.184.216.1"), host("52.58.4.7")
	var wg sync.WaitGroup
	serve := func(l net.Listener, err error, f func(net.Listener)) net.Listener {
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() { f(l) })
		return l
	}
	listen := func(h *memnet.Host, port uint16, f func(net.Listener)) net.Listener {
		l, err := h.Listen(port)
		return serve(l, err, f)
	}
	siteL := listen(site, 7, func(l net.Listener) { rigAccept(l, echo) })
	e := &exit.Server{Open: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return front.Dial(ctx, netip.MustParseAddrPort("93.184.216.1:7"))
	}}
	listen(front, 1080, func(l net.Listener) { _ = e.Serve(l) })

	// All of them are reached at one host.
	one := &upstream.Dialer{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return home.Dial(ctx, netip.MustParseAddrPort("52.58.4.7:1080"))
	}}
	p, err := pool.New(pool.Config{Active: 64})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() { _ = p.Run(ctx) })
	s, err := relay.New(relay.Config{Pool: p, Upstream: one})
	if err != nil {
		b.Fatal(err)
	}
	relayL, err := home.ListenLoopback(1080)
	serve(relayL, err, func(l net.Listener) { _ = s.Serve(l) })
	defer func() {
		s.Close()
		cancel()
		e.Close()
		siteL.Close()
		network.Close()
		wg.Wait()
	}()

	request := func() time.Duration {
		began := time.Now()
		c, err := home.Dial(ctx, netip.MustParseAddrPort("127.0.0.1:1080"))
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		if code, err := rigReply(c, 7); err != nil || code != 0 {
			b.Fatal(code, err)
		}
		if _, err := exchange(c, "x"); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	during := func(over <-chan struct{}) (slowest time.Duration, n int) {
		for {
			select {
			case <-over:
				return slowest, n
			default:
				slowest, n = max(slowest, request()), n+1
			}
		}
	}

	var calm, storm time.Duration
	var calmN, stormN int
	round := 0
	for b.Loop() {
		specs := make([]policy.Spec, endpoints)
		for i := range specs {
			specs[i] = policy.Spec{
				Host: fmt.Sprintf("10.%d.%d.%d", round%250, i/250, i%250+1), Port: 1080, Provider: fmt.Sprint("p", i%7),
			}
			specs[i].Addr = netip.MustParseAddr(specs[i].Host)
		}
		round++
		changed := p.Changed()
		if err := p.Add(specs...); err != nil {
			b.Fatal(err)
		}
		<-changed
		request()

		second := make(chan struct{})
		timer := time.AfterFunc(time.Second, func() { close(second) })
		slowest, n := during(second)
		timer.Stop()
		calm, calmN = max(calm, slowest), calmN+n

		over := make(chan struct{})
		wg.Go(func() {
			defer close(over)
			const steps = 100
			began := time.Now()
			for k := range steps {
				for i := k * len(specs) / steps; i < (k+1)*len(specs)/steps; i++ {
					if i >= spared {
						p.Retire(specs[i].Name())
					}
				}
				time.Sleep(time.Until(began.Add(time.Duration(k+1) * time.Second / steps)))
			}
		})
		slowest, n = during(over)
		storm, stormN = max(storm, slowest), stormN+n
		for i := range spared {
			defer p.Retire(specs[i].Name())
		}
	}
	b.ReportMetric(float64(calm.Microseconds())/1e3, "slowest-calm-ms")
	b.ReportMetric(float64(storm.Microseconds())/1e3, "slowest-storm-ms")
	b.ReportMetric(float64(calmN)/float64(round), "requests-calm/op")
	b.ReportMetric(float64(stormN)/float64(round), "requests-storm/op")
}
