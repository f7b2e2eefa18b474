package memnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

var (
	home  = netip.MustParseAddr("100.64.0.1")
	cloud = netip.MustParseAddr("52.58.4.7")
	port  = netip.AddrPortFrom(cloud, 1080)
)

// pair is a network with one connection over the given path.
func pair(t testing.TB, path memnet.Path) (client, server *memnet.Conn, n *memnet.Network) {
	t.Helper()
	n = memnet.New(func(*memnet.Host, netip.AddrPort, netip.AddrPort) memnet.Path { return path })
	t.Cleanup(func() { _ = n.Close() })
	a, err := n.Host(home)
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.Host(cloud)
	if err != nil {
		t.Fatal(err)
	}
	l, err := b.Listen(1080)
	if err != nil {
		t.Fatal(err)
	}
	client, err = a.Dial(context.Background(), port)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, s.(*memnet.Conn), n
}

func TestDialTakesOneRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		client, server, _ := pair(t, memnet.Path{Near: 10 * time.Millisecond, Far: 15 * time.Millisecond})
		// Accept returns half a round trip later.
		if took := time.Since(start); took != 75*time.Millisecond {
			t.Errorf("handshake took %v, want 75ms", took)
		}
		go func() {
			_, _ = io.Copy(server, server)
			_ = server.CloseWrite()
		}()
		start = time.Now()
		if _, err := client.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		_ = client.CloseWrite()
		b, err := io.ReadAll(client)
		if err != nil || string(b) != "hello" {
			t.Fatalf("read %q, %v", b, err)
		}
		if took := time.Since(start); took != 50*time.Millisecond {
			t.Errorf("echo took %v, want 50ms", took)
		}
	})
}

func TestDialNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(nil)
		defer func() { _ = n.Close() }()
		h, _ := n.Host(home)
		start := time.Now()
		_, err := h.Dial(context.Background(), port)
		if !errors.Is(err, syscall.ETIMEDOUT) || time.Since(start) != 134*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("%v is no timeout", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err = h.Dial(ctx, port)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with deadline: %v", err)
		}
		_, _ = n.Host(cloud)
		if _, err = h.Dial(context.Background(), port); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("closed port: %v", err)
		}
	})
}

func BenchmarkThroughput(b *testing.B) {
	client, server, _ := pair(b, memnet.Path{})
	chunk := make([]byte, 64<<10)
	done := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, server)
		done <- n
	}()
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	_ = client.CloseWrite()
	<-done
}

func BenchmarkDial(b *testing.B) {
	n := memnet.New(nil)
	defer func() { _ = n.Close() }()
	h, _ := n.Host(home)
	s, _ := n.Host(cloud)
	l, _ := s.Listen(1080)
	b.ReportAllocs()
	for b.Loop() {
		c, err := h.Dial(context.Background(), port)
		if err != nil {
			b.Fatal(err)
		}
		a, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		_ = c.Close()
		_ = a.Close()
	}
}
