package pool_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// BenchmarkLease takes the first three choices of one of 10,000 clients, drawn
// at random, with one endpoint excluded, while the view is published anew 100
// times a second.
func BenchmarkLease(b *testing.B) {
	cs := clients(10_000)
	for _, size := range []struct{ active, endpoints int }{{8, 100}, {64, 100}, {64, 10_000}, {64, 100_000}} {
		name := fmt.Sprintf("active=%d/endpoints=%d", size.active, size.endpoints)
		b.Run(name, func(b *testing.B) {
			p := live(b, size.active, size.endpoints)
			avoid := p.Endpoint(first(p, cs[0]))
			homes(p, cs)
			republish(b, p)
			r := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			for b.Loop() {
				three(b, p, cs[r.IntN(len(cs))], avoid)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			p := live(b, size.active, size.endpoints)
			avoid := p.Endpoint(first(p, cs[0]))
			homes(p, cs)
			republish(b, p)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				r := rand.New(rand.NewPCG(rand.Uint64(), 2))
				for pb.Next() {
					three(b, p, cs[r.IntN(len(cs))], avoid)
				}
			})
		})
	}
}

// three takes a lease with three choices.
func three(tb testing.TB, p *pool.Pool, client string, avoid *pool.Endpoint) {
	l := p.Lease(client)
	l.Exclude(avoid)
	for range 3 {
		if l.Next() == nil {
			tb.Error("no choice left")
		}
	}
}

// republish changes an endpoint's state 100 times a second, back and forth, and
// with it the view, until the benchmark ends.
func republish(b *testing.B, p *pool.Pool) {
	b.Helper()
	e := p.Endpoint(first(p, "any"))
	stop := make(chan struct{})
	var flapping sync.WaitGroup
	flapping.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for outcome := policy.Silent; ; outcome = policy.Silent + policy.Answered - outcome {
			select {
			case <-stop:
				return
			case <-tick.C:
				now := time.Now()
				e.Report(policy.Evidence{Phase: policy.Greeting, Outcome: outcome, Asked: now, At: now, Took: roundTrip})
			}
		}
	})
	b.Cleanup(func() {
		close(stop)
		flapping.Wait()
	})
}

// BenchmarkReport compares an answer, which is what nearly all reports are, with
// trouble.
func BenchmarkReport(b *testing.B) {
	for _, endpoints := range []int{100, 10_000, 100_000} {
		p := live(b, 8, endpoints)
		e := p.Endpoint(first(p, "a"))
		now := time.Now()
		for name, ev := range map[string]policy.Evidence{
			"answered": {Phase: policy.Greeting, Outcome: policy.Answered, Asked: now, At: now, Took: roundTrip},
			// Older than the last answer: it changes nothing, but has to be judged.
			"trouble": {Phase: policy.Connect, Outcome: policy.Overdue, Asked: now.Add(-time.Hour), At: now},
		} {
			b.Run(fmt.Sprintf("%s/endpoints=%d", name, endpoints), func(b *testing.B) {
				e.Report(policy.Evidence{Phase: policy.Greeting, Outcome: policy.Answered, Asked: now, At: now, Took: roundTrip})
				b.ReportAllocs()
				for b.Loop() {
					e.Report(ev)
				}
			})
		}
	}
}
