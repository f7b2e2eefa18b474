package exit_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay/exit"
)

// TestManyStreams runs streams of all sizes beside each other, some of which
// are broken off. What comes back must be what was sent.
func TestManyStreams(t *testing.T) {
	const workers, each = 32, 8
	spec := start(t, &exit.Server{Allow: loopback})
	to := parallelEcho(t)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			draw := rand.New(rand.NewPCG(1, uint64(w)))
			for range each {
				roundTrip(t, spec, to, draw)
			}
		})
	}
	wg.Wait()
}

func roundTrip(t *testing.T, spec policy.Spec, to string, draw *rand.Rand) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var d upstream.Dialer
	c, err := d.Connect(ctx, spec)
	if err != nil {
		t.Error(err)
		return
	}
	s, err := d.Negotiate(ctx, c, spec)
	if err != nil {
		t.Error(err)
		return
	}
	if c, err = s.Request(ctx, to); err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	sent := make([]byte, 1+draw.IntN(1<<draw.IntN(20)))
	for i := range sent {
		sent[i] = byte(i * 31)
	}
	broken := draw.IntN(4) == 0
	go func() {
		_, _ = c.Write(sent)
		if !broken {
			_ = c.(*net.TCPConn).CloseWrite()
		}
	}()
	if broken {
		_, _ = io.ReadFull(c, make([]byte, draw.IntN(len(sent))))
		_ = upstream.Abort(c)
		return
	}
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back of %d: %v", len(got), len(sent), err)
	}
}

// parallelEcho is a destination that serves all its connections at once.
func parallelEcho(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_ = c.SetDeadline(time.Now().Add(patience))
				echo(c.(*net.TCPConn))
				c.Close()
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}
