package exit_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay/exit"
)

// serve is start for benchmarks.
func serve(b *testing.B) policy.Spec {
	b.Helper()
	s := &exit.Server{Allow: loopback}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	b.Cleanup(func() {
		_ = s.Close()
		if err := <-served; !errors.Is(err, exit.ErrServerClosed) {
			b.Error(err)
		}
	})
	spec, err := upstream.Parse(l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	return spec
}

// sink is a destination that reads to the end, then closes.
func sink(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	b.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func reach(b *testing.B, spec policy.Spec, destination string) net.Conn {
	b.Helper()
	ctx := context.Background()
	var d upstream.Dialer
	c, err := d.Connect(ctx, spec)
	if err != nil {
		b.Fatal(err)
	}
	s, err := d.Negotiate(ctx, c, spec)
	if err != nil {
		b.Fatal(err)
	}
	c, err = s.Request(ctx, destination)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkDial is a whole dial through an endpoint, and its end.
func BenchmarkDial(b *testing.B) {
	spec, to := serve(b), sink(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = upstream.Abort(reach(b, spec, to))
	}
}

// BenchmarkThroughput is one stream through an endpoint over loopback.
func BenchmarkThroughput(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "64KiB": 64 << 10, "1MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			c := reach(b, serve(b), sink(b))
			piece := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(piece); err != nil {
					b.Fatal(err)
				}
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				b.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(patience))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				b.Fatal(err)
			}
			c.Close()
		})
	}
}
