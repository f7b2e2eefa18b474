package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// load is what the clients of one relay do.
type load struct {
	// rate is requests a second, on average; clients is how many ask them,
	// streams how many keep a long one open besides.
	rate, clients, streams int
}

// loads are those of the first ISP, the second, and all others.
var loads = []load{
	{rate: 20, clients: 64, streams: 8},
	{rate: 9, clients: 24, streams: 4},
	{rate: 6, clients: 16, streams: 4},
}

// maxWaiting bounds the requests under way at one ISP: more than all that can
// be asked within their patience.
const maxWaiting = 512

// load keeps up a load until ctx ends, and returns when every client of it has
// ended. Requests begin at random moments, as those of many people do.
func (v *vantage) load(ctx context.Context, l load, seed uint64) {
	draws := rand.New(rand.NewPCG(seed, 0x6c6f6164))
	var clients sync.WaitGroup
	defer clients.Wait()
	for i := range l.streams {
		clients.Go(func() { v.stream(ctx, fmt.Sprintf("%s-stream-%d", v.plan.Name, i+1)) })
	}
	places := make(chan struct{}, maxWaiting)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(time.Duration(draws.ExpFloat64() / float64(l.rate) * float64(time.Second)))
		select {
		case places <- struct{}{}:
		default:
			continue
		}
		q := question{
			client: fmt.Sprintf("%s-%d", v.plan.Name, draws.IntN(l.clients)+1),
			tls:    draws.IntN(2) == 0, path: "/",
		}
		if draws.IntN(4) == 0 {
			q.path = "/photo"
		}
		if !v.tally.ask(time.Now()) {
			return
		}
		clients.Go(func() {
			defer func() { <-places }()
			v.request(ctx, q)
		})
	}
}
