package study

import (
	"context"
	"errors"
	"sync"
)

// Run plays a world for each seed, as many at a time as there are workers, and calls
// done with each result as it comes: one call at a time, in any order. It returns when
// all are done, or when ctx has ended or one of them or done has failed and none is
// running any more; then those that were done stay done.
func Run(ctx context.Context, w World, seeds []uint64, workers int, done func(Result) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan uint64)
	var one sync.Mutex
	var all sync.WaitGroup
	for range max(1, min(workers, len(seeds))) {
		all.Go(func() {
			for seed := range queue {
				r, err := w.Run(ctx, seed)
				if err == nil {
					one.Lock()
					err = done(r)
					one.Unlock()
				}
				if err != nil {
					stop(err)
				}
			}
		})
	}
	for _, seed := range seeds {
		select {
		case queue <- seed:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(queue)
	all.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}
