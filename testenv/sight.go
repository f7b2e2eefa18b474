package testenv

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// maxSights bounds what an ISP remembers between two steps of a strategy.
const maxSights = 1 << 16

// Play lets a strategy write the registry: every so often it is shown the flows
// that all ISPs have seen since, and what it orders is entered. It runs until
// ctx ends, and returns ctx's error. One strategy should play at a time: what
// one has been shown, another is not.
func (w *World) Play(ctx context.Context, s blocker.Strategy, every time.Duration) error {
	if every <= 0 {
		return fmt.Errorf("testenv: a strategy cannot be played every %v", every)
	}
	w.watch(1)
	defer w.watch(-1)
	draws := rand.New(rand.NewPCG(w.seed, 0x706c6179))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var orders []blocker.Change
		s, orders = s.Step(w.sights(), time.Now(), draws)
		w.Enter(orders...)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// watch counts those who want to be shown flows, and has the ISPs note them
// while there are any.
func (w *World) watch(change int32) {
	n := w.players.Add(change)
	w.mu.Lock()
	isps := slices.Clone(w.isps)
	w.mu.Unlock()
	for _, i := range isps {
		w.trouble(i.vantage.sights(n > 0))
	}
}

// sights takes what the ISPs have noted, in the order of time.
func (w *World) sights() (all []blocker.Observation) {
	w.mu.Lock()
	isps := slices.Clone(w.isps)
	w.mu.Unlock()
	for _, i := range isps {
		i.books.mu.Lock()
		all = append(all, i.books.sights...)
		i.books.sights = nil
		i.books.mu.Unlock()
	}
	slices.SortStableFunc(all, func(a, b blocker.Observation) int {
		return cmp.Or(a.At.Compare(b.At), a.Server.Compare(b.Server))
	})
	return all
}

// sight notes for the strategies what a flow looks like by its first bytes.
func (b *books) sight(isp string, server netip.AddrPort, payload []byte, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.sights) < maxSights {
		b.sights = append(b.sights, blocker.Observation{At: now, ISP: isp, Server: server, Look: blocker.LookOf(payload)})
	}
}
