package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// flow is a throughput load: some streams that are full for a while.
type flow struct {
	name    string // in the names of figures
	title   string
	head    string // of a column
	streams int
	to      Service
}

var flows = []flow{
	{"down_1", "download, 1 stream", "1 down", 1, Source},
	{"down_8", "download, 8 streams", "8 down", 8, Source},
	{"up_8", "upload, 8 streams", "8 up", 8, Sink},
}

// run keeps the streams full and puts what it sees into r.
func (f flow) run(ctx context.Context, t *turn, r Reading) error {
	var conns []*net.TCPConn
	defer func() {
		for _, c := range conns {
			abort(c)
		}
	}()
	for range f.streams {
		c, err := t.client.open(ctx, f.to)
		if err != nil {
			return fmt.Errorf("%s: %w", f.title, err)
		}
		conns = append(conns, c)
	}
	var bytes atomic.Int64
	var ended atomic.Int32 // streams that ended by themselves
	var done atomic.Bool
	var wg sync.WaitGroup
	for _, c := range conns {
		step := c.Read
		if f.to == Sink {
			step = c.Write
		}
		wg.Go(func() {
			b := make([]byte, blockSize)
			for {
				n, err := step(b)
				bytes.Add(int64(n))
				if err != nil {
					if !done.Load() {
						ended.Add(1)
					}
					return
				}
			}
		})
	}
	// At the end of either time something must have come, however slow it is.
	flowing := func(least time.Duration) (n int64, err error) {
		from, end := bytes.Load(), time.Now().Add(patience)
		for err = pause(ctx, least); err == nil && bytes.Load() == from && time.Now().Before(end); {
			err = pause(ctx, time.Millisecond)
		}
		return bytes.Load() - from, err
	}
	// What fills the buffers on the way is not counted.
	_, err := flowing(t.loads.RunUp)
	before, began := t.cost(), time.Now()
	count, err2 := flowing(t.loads.Flow)
	err = errors.Join(err, err2)
	took, cost := time.Since(began), t.cost().since(before)
	done.Store(true)
	for _, c := range conns {
		_ = c.SetDeadline(time.Unix(1, 0))
	}
	wg.Wait()
	switch {
	case err != nil:
		return err
	case ended.Load() > 0:
		return fmt.Errorf("%s: %d streams ended before their time", f.title, ended.Load())
	case count == 0:
		return fmt.Errorf("%s: no byte came through", f.title)
	}
	gb := float64(count) / 1e9
	r[f.name+"_gb_per_s"] = gb / took.Seconds()
	cost.put(r, f.name+"_%s_cpu_s_per_gb", 1/gb)
	return nil
}

// pause is a sleep that ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
