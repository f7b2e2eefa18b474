package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/relay/exit"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// BenchmarkDialMemory is one whole request over a network in memory: connect,
// CONNECT through an endpoint, one byte there and back, and the end. Client,
// endpoint and destination are counted in.
func BenchmarkDialMemory(b *testing.B) {
	b.Run("cold", func(b *testing.B) { dialMemory(b, -1) })
	b.Run("warm", func(b *testing.B) { dialMemory(b, 0) })
}

func dialMemory(b *testing.B, warm int) {
	network := memnet.New(nil)
	defer network.Close()
	host := func(addr string) *memnet.Host {
		h, err := network.Host(netip.MustParseAddr(addr))
		if err != nil {
			b.Fatal(err)
		}
		return h
	}
	home, site, front := host("192.168.1.2"), host("93.184.216.1"), host("52.58.4.7")
	var wg sync.WaitGroup
	serve := func(l net.Listener, err error, f func(net.Listener)) {
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() { f(l) })
	}
	siteL, err := site.Listen(7)
	serve(siteL, err, func(l net.Listener) { rigAccept(l, echo) })
	e := &exit.Server{Open: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return front.Dial(ctx, netip.MustParseAddrPort("93.184.216.1:7"))
	}}
	exitL, err := front.Listen(1080)
	serve(exitL, err, func(l net.Listener) { _ = e.Serve(l) })
	p, err := pool.New(pool.Config{})
	if err != nil {
		b.Fatal(err)
	}
	if err := p.Add(policy.Spec{Host: "52.58.4.7", Addr: front.Addr(), Port: 1080}); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	changed := p.Changed()
	wg.Go(func() { _ = p.Run(ctx) })
	<-changed
	s, err := relay.New(relay.Config{Pool: p, Warm: warm, Upstream: &upstream.Dialer{
		Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
			return home.Dial(ctx, netip.MustParseAddrPort(address))
		},
	}})
	if err != nil {
		b.Fatal(err)
	}
	relayL, err := home.ListenLoopback(1080)
	serve(relayL, err, func(l net.Listener) { _ = s.Serve(l) })

	b.ReportAllocs()
	for b.Loop() {
		c, err := home.Dial(ctx, netip.MustParseAddrPort("127.0.0.1:1080"))
		if err != nil {
			b.Fatal(err)
		}
		if code, err := rigReply(c, 7); err != nil || code != 0 {
			b.Fatal(code, err)
		}
		if _, err := exchange(c, "x"); err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
	b.StopTimer()
	s.Close()
	cancel()
	e.Close()
	siteL.Close()
	network.Close()
	wg.Wait()
}

// BenchmarkThroughputLoopback downloads over kernel sockets through the relay
// and one endpoint, all in this process.
func BenchmarkThroughputLoopback(b *testing.B) {
	const size = 64 << 20
	for _, streams := range []int{1, 8} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			r := onLoopback(b, 1)
			block := make([]byte, 256<<10)
			site := destination(b, func(c *net.TCPConn) {
				for n := 0; n < size; n += len(block) {
					if _, err := c.Write(block); err != nil {
						return
					}
				}
			})
			b.SetBytes(int64(streams) * size)
			b.ReportAllocs()
			for b.Loop() {
				var wg sync.WaitGroup
				for range streams {
					c := r.open(b, site)
					wg.Go(func() {
						defer c.Close()
						buffer := make([]byte, 256<<10)
						total := 0
						for {
							n, err := c.Read(buffer)
							total += n
							if errors.Is(err, io.EOF) && total == size {
								return
							}
							if err != nil {
								b.Errorf("%d bytes, %v", total, err)
								return
							}
						}
					})
				}
				wg.Wait()
			}
		})
	}
}

// BenchmarkConnectLoopback is one whole request over kernel sockets.
func BenchmarkConnectLoopback(b *testing.B) {
	b.Run("cold", func(b *testing.B) { connectLoopback(b, -1) })
	b.Run("warm", func(b *testing.B) { connectLoopback(b, 0) })
}

func connectLoopback(b *testing.B, warm int) {
	r := onLoopbackWith(b, 4, relay.Config{Warm: warm})
	site := destination(b, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c := r.open(b, site)
			if _, err := exchange(c, "x"); err != nil {
				b.Error(err)
			}
			_ = c.SetLinger(0)
			c.Close()
		}
	})
}
