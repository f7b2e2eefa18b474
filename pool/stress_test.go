package pool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// TestManyAtOnce has many goroutines take leases, report, rotate, watch, read
// and change the pool while its states change. The race detector is the judge;
// besides, no lease may offer an endpoint twice.
func TestManyAtOnce(t *testing.T) {
	prober := pool.ProberFunc(func(_ context.Context, _ policy.Spec, look policy.Look) policy.Examination {
		now := time.Now()
		outcomes := []policy.Outcome{policy.Answered, policy.Answered, policy.Silent, policy.Reset, policy.Local}
		return policy.Examination{
			Asked: now, At: now, Depth: look.Depth, RTT: time.Millisecond,
			Greeting: outcomes[rand.IntN(len(outcomes))], Down: policy.Passage{Outcome: policy.Answered},
		}
	})
	p, err := pool.New(pool.Config{
		Prober: prober, RotateEvery: time.Millisecond,
		Limits: policy.Limits{RetestMin: time.Millisecond, RetestMax: 4 * time.Millisecond, Probation: time.Millisecond, Quiet: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(specs(32)...); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running, busy sync.WaitGroup
	running.Go(func() { _ = p.Run(ctx) })
	w := p.Watch()
	running.Go(func() {
		for {
			ev, err := w.Next(context.Background())
			if err != nil {
				return
			}
			_ = ev.String()
		}
	})
	for g := range 16 {
		busy.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for n := range 400 {
				lease := p.Lease(fmt.Sprintf("client %d", r.IntN(40)))
				changed := p.Changed()
				offered := make(map[*pool.Endpoint]bool)
				for e := lease.Next(); e != nil; e = lease.Next() {
					if offered[e] {
						t.Errorf("%s is offered twice", e.Name())
					}
					offered[e] = true
					e.Streams().Add(1)
					now := time.Now()
					e.Report(policy.Evidence{
						Phase: policy.Phase(r.IntN(4)), Outcome: policy.Outcome(r.IntN(12)),
						Asked: now.Add(-time.Millisecond), At: now, Took: time.Millisecond, Elsewhere: r.IntN(2) == 0,
					})
					_ = e.HedgeDelay(policy.Greeting) + e.RTT()
					_ = e.State()
					e.Streams().Add(-1)
				}
				switch n % 40 {
				case 0:
					p.Rotate(fmt.Sprintf("client %d", r.IntN(40)))
				case 10:
					_ = p.Add(spec(32 + r.IntN(64)))
				case 20:
					p.Retire(spec(r.IntN(8)).Name())
				case 30:
					_ = p.Outage()
					for _, row := range p.Endpoints() {
						_ = row.State
					}
				}
				select {
				case <-changed:
				default:
				}
			}
		})
	}
	busy.Wait()
	cancel()
	running.Wait()
}
