package pool_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// BenchmarkLease takes the first three choices of a client, with one endpoint
// excluded.
func BenchmarkLease(b *testing.B) {
	for _, size := range []struct{ active, endpoints int }{{8, 100}, {8, 10_000}, {64, 100}, {64, 10_000}} {
		name := fmt.Sprintf("active=%d/endpoints=%d", size.active, size.endpoints)
		cs := clients(64)
		take := func(p *pool.Pool, n int, avoid *pool.Endpoint) {
			l := p.Lease(cs[n%len(cs)])
			l.Exclude(avoid)
			for range 3 {
				if l.Next() == nil {
					b.Error("no choice left")
				}
			}
		}
		b.Run(name, func(b *testing.B) {
			p := live(b, size.active, size.endpoints)
			avoid := p.Endpoint(first(p, cs[0]))
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				take(p, n, avoid)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			p := live(b, size.active, size.endpoints)
			avoid := p.Endpoint(first(p, cs[0]))
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for n := 0; pb.Next(); n++ {
					take(p, n, avoid)
				}
			})
		})
	}
}

// BenchmarkReport compares an answer, which is what nearly all reports are, with
// trouble.
func BenchmarkReport(b *testing.B) {
	for _, endpoints := range []int{100, 10_000} {
		p := live(b, 8, endpoints)
		e := p.Endpoint(first(p, "a"))
		now := time.Now()
		for name, ev := range map[string]policy.Evidence{
			"answered": {Phase: policy.Greeting, Outcome: policy.Answered, Asked: now, At: now, Took: roundTrip},
			// Older than the last answer: it changes nothing, but takes the lock.
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
