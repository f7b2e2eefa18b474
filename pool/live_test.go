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
	return liveOf(tb, pool.Config{Active: active}, n)
}

// liveOf is live of a pool with more to configure.
func liveOf(tb testing.TB, c pool.Config, n int) *pool.Pool {
	tb.Helper()
	p, err := pool.New(c)
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
	if got := len(p.InState(policy.Active)); got != c.Active {
		tb.Fatalf("want %d active, got %d", c.Active, got)
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
