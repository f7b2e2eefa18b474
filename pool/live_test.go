package pool_test

import (
	"context"
	"testing"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// live is a pool in real time, with its slots filled. It ends with the test.
func live(tb testing.TB, active, n int) *pool.Pool {
	tb.Helper()
	p, err := pool.New(pool.Config{Active: active})
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.Add(specs(n)...); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	changed := p.Changed()
	go func() {
		defer close(ended)
		_ = p.Run(ctx)
	}()
	tb.Cleanup(func() {
		cancel()
		<-ended
	})
	<-changed
	if got := len(p.InState(policy.Active)); got != active {
		tb.Fatalf("want %d active, got %d", active, got)
	}
	return p
}

// closed is a context that has ended: what is there can be read, and nothing is
// waited for.
func closed(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
