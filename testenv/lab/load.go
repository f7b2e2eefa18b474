package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"
)

// load is what the clients of one relay do.
type load struct {
	// rate is requests a second, on average; clients is how many ask them,
	// streams how many keep a long one open besides.
	rate             float64
	clients, streams int
	// asks are what they ask for, each as often as it stands there.
	asks []question
}

// loads are those of the first ISP, the second, and all others, where a scenario
// says nothing of its clients.
var loads = []load{
	{rate: 20, clients: 64, streams: 8},
	{rate: 9, clients: 24, streams: 4},
	{rate: 6, clients: 16, streams: 4},
}

// loadOf is what the clients of an ISP do.
func (r *run) loadOf(i int) load {
	l := loads[min(i, len(loads)-1)]
	if c := r.scenario.ISPs[i].Clients; c.Count > 0 || c.Streams > 0 {
		l = load{rate: c.Requests, clients: c.Count, streams: c.Streams}
	}
	for _, a := range r.scenario.ISPs[i].Clients.Asks {
		q := question{to: strings.ToLower(a.To), path: "/"}
		if a.Size > 0 {
			q.path = "/photo?bytes=" + strconv.FormatInt(a.Size, 10)
		}
		for range max(a.Weight, 1) {
			l.asks = append(l.asks, q)
		}
	}
	if len(l.asks) > 0 {
		return l
	}
	for _, name := range r.site.names {
		page, picture := question{to: name, path: "/"}, question{to: name, path: "/photo"}
		l.asks = append(l.asks, page, page, page, picture)
	}
	return l
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
		clients.Go(func() { v.stream(ctx, fmt.Sprintf("%s-stream-%d", v.plan.Name, i+1), l.asks[0].to) })
	}
	if l.rate <= 0 || l.clients == 0 {
		return
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
		timer.Reset(time.Duration(draws.ExpFloat64() / l.rate * float64(time.Second)))
		select {
		case places <- struct{}{}:
		default:
			continue
		}
		q := l.asks[draws.IntN(len(l.asks))]
		q.client = fmt.Sprintf("%s-%d", v.plan.Name, draws.IntN(l.clients)+1)
		q.tls = draws.IntN(2) == 0
		if !v.tally.ask(time.Now()) {
			return
		}
		clients.Go(func() {
			defer func() { <-places }()
			v.request(ctx, q)
		})
	}
}
