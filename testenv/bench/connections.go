package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// tail is how long the contender may take to put away the last connections,
// which is a part of what they cost.
const tail = 200 * time.Millisecond

// connections is the load of short requests: workers that connect, ask, send a
// byte and get it back, and close, one after the other.
func connections(ctx context.Context, t *turn, r Reading) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var begun atomic.Int64
	took := make([][]time.Duration, t.loads.Workers)
	before, began := t.cost(), time.Now()
	end := began.Add(t.loads.Connect)
	for w := range t.loads.Workers {
		wg.Go(func() {
			for ctx.Err() == nil && time.Now().Before(end) && begun.Add(1) <= int64(t.loads.Connections) {
				d, err := request(ctx, t)
				if err != nil {
					cancel(err)
					return
				}
				took[w] = append(took[w], d)
			}
		})
	}
	wg.Wait()
	length := time.Since(began)
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("connections: %w", err)
	}
	if err := pause(ctx, tail); err != nil {
		return err
	}
	all := slices.Concat(took...)
	if len(all) == 0 {
		return errors.New("connections: none was made")
	}
	slices.Sort(all)
	n := float64(len(all))
	r["connections_per_s"] = n / length.Seconds()
	r["connections_p50_ms"] = milliseconds(all[len(all)/2])
	r["connections_p99_ms"] = milliseconds(all[len(all)*99/100])
	t.cost().since(before).put(r, "connections_%s_cpu_ms", 1000/n)
	return nil
}

// request is one of them; the time is until the byte is back. It is the client
// who closes, in the usual way.
func request(ctx context.Context, t *turn) (time.Duration, error) {
	began := time.Now()
	c, err := t.client.open(ctx, Echo)
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	if err := ping(c); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
