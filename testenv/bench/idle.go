package bench

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// openers is how many streams are opened at a time where speed is not the
// question.
const openers = 32

// held are streams that are open and have nothing to say.
type held struct{ conns []*net.TCPConn }

// fill opens streams until n are held. Each has carried a byte there and back.
func (h *held) fill(ctx context.Context, c client, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	missing := n - len(h.conns)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range openers {
		wg.Go(func() {
			for i := w; i < missing && ctx.Err() == nil; i += openers {
				conn, err := c.open(ctx, Echo)
				if err == nil {
					mu.Lock()
					h.conns = append(h.conns, conn)
					mu.Unlock()
					err = ping(conn)
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("with %d streams held: %w", len(h.conns), err)
	}
	return nil
}

// check looks whether some of them still work, all over the range.
func (h *held) check() error {
	for i := 0; i < len(h.conns); i += max(1, len(h.conns)/100) {
		if err := ping(h.conns[i]); err != nil {
			return fmt.Errorf("a held stream: %w", err)
		}
	}
	return nil
}

func (h *held) drop() {
	for _, c := range h.conns {
		abort(c)
	}
	h.conns = nil
}

// idle measures what a stream costs that does nothing, at several numbers of
// them, which grow. The process is fresh.
func idle(ctx context.Context, t *turn, r Reading) error {
	h := &held{}
	defer h.drop()
	// What the first streams bring with them is not theirs.
	if err := h.fill(ctx, t.client, t.loads.Workers); err != nil {
		return err
	}
	h.drop()
	if err := pause(ctx, t.loads.Settle); err != nil {
		return err
	}
	base := t.footprint()
	for _, n := range t.loads.Idle {
		if err := h.fill(ctx, t.client, n); err != nil {
			return err
		}
		if err := pause(ctx, t.loads.Settle); err != nil {
			return err
		}
		now := t.footprint()
		if err := h.check(); err != nil {
			return err
		}
		name := fmt.Sprintf("idle_%d_", n)
		each := func(now, base int64) float64 { return float64(now-base) / float64(n) }
		r[name+"kernel_kb"] = each(now.kernel, base.kernel) / 1024
		if t.contender.Command != nil {
			r[name+"kb"] = each(now.memory, base.memory) / 1024
			r[name+"descriptors"] = each(now.descriptors, base.descriptors)
			r[name+"pipes"] = each(now.pipes, base.pipes)
		}
	}
	return nil
}
