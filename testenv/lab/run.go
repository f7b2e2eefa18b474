package lab

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
)

// run is one playing of a scenario: the world, what runs in it, and the books.
type run struct {
	scenario Scenario
	length   time.Duration
	seed     uint64
	display  Display
	log      *slog.Logger

	world    *testenv.World
	regions  map[netip.Prefix]*testenv.Cloud
	site     *site
	vantages []*vantage
	draws    *rand.Rand // of the goroutine that plays

	began  time.Time
	events *diary
	seen   map[netip.Addr]int64 // connections at the last hunt
	harm   harm
	born   int // endpoints launched into listed prefixes
	grown  int // endpoints launched in all
	in     int // endpoints in use at the first ISP that came under a rule

	// load ends the clients, parts the relays, pools and the display.
	endLoad, endParts context.CancelFunc
	load, parts       sync.WaitGroup
	shown             sync.WaitGroup
	endShow           context.CancelFunc
}

func newRun(l *Lab) *run {
	r := &run{
		scenario: l.Scenario, length: cmp.Or(l.Length, DefaultLength), seed: l.Seed,
		display: l.Display, log: l.Logger,
		regions: make(map[netip.Prefix]*testenv.Cloud),
		draws:   rand.New(rand.NewPCG(l.Seed, 0x6c6162)),
		endLoad: func() {}, endParts: func() {}, endShow: func() {},
	}
	if r.scenario.Clock == nil {
		r.scenario = April2018()
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.events, r.seen = new(diary), make(map[netip.Addr]int64)
	r.harm.settled(r.scenario.Clouds)
	return r
}

// build makes the world and everything in it. Nothing asks for anything yet.
func (r *run) build(first net.Listener) error {
	r.world = testenv.New(testenv.Config{Seed: r.seed, Logger: r.log})
	for _, plan := range r.scenario.ISPs {
		v, err := r.vantage(plan, first)
		first = nil
		if err != nil {
			return err
		}
		r.vantages = append(r.vantages, v)
	}
	var err error
	if r.site, err = newSite(r.world, 5*time.Millisecond); err != nil {
		return err
	}
	for _, plan := range r.scenario.Clouds {
		for _, b := range plan.Blocks {
			// A region of its own for each prefix, so that the scenario decides
			// which tenant lives where.
			r.regions[b.Prefix] = r.world.Cloud(plan.Name, testenv.CloudConfig{
				Prefixes: []netip.Prefix{b.Prefix}, Latency: plan.Latency,
			})
		}
		for _, b := range plan.Blocks {
			if _, err := r.launch(b.Prefix, b.Endpoints); err != nil {
				return err
			}
		}
		for _, t := range plan.Tenants {
			if _, err := r.regions[t.Prefix].Tenant(t.Name, t.Weight); err != nil {
				return fmt.Errorf("tenant %s: %w", t.Name, err)
			}
		}
	}
	return nil
}

// launch starts endpoints at fresh addresses and tells every relay of them.
func (r *run) launch(prefix netip.Prefix, n int) (born int, err error) {
	for range n {
		h, err := r.regions[prefix].Launch(testenv.EndpointConfig{
			User: "lab", Password: fmt.Sprintf("%016x", r.draws.Uint64()),
		})
		if err != nil {
			return born, fmt.Errorf("launch in %s: %w", prefix, err)
		}
		r.grown++
		if r.vantages[0].covers(h.Addr()) {
			born++
		}
		for _, v := range r.vantages {
			if err := v.learn(h); err != nil {
				return born, err
			}
		}
	}
	return born, nil
}

// start lets everything run: relays, pools, clients, and the display.
func (r *run) start() {
	r.began = time.Now()
	partsCtx, endParts := context.WithCancel(context.Background())
	loadCtx, endLoad := context.WithCancel(context.Background())
	showCtx, endShow := context.WithCancel(context.Background())
	r.endParts, r.endLoad, r.endShow = endParts, endLoad, endShow
	for i, v := range r.vantages {
		v.tls = &tls.Config{ServerName: siteName, RootCAs: r.site.roots, MinVersion: tls.VersionTLS13}
		v.tally.begin(r.began, r.length)
		v.run(partsCtx, &r.parts)
		r.load.Go(func() { v.load(loadCtx, loads[min(i, len(loads)-1)], r.seed+uint64(i)) })
	}
	r.parts.Go(func() { r.watch(partsCtx) })
	r.shown.Go(func() { r.showOn(showCtx) })
}

// finish lets the requests under way come to their end, unless ctx has ended,
// and stops the load.
func (r *run) finish(ctx context.Context) {
	var idle []<-chan struct{}
	for _, v := range r.vantages {
		idle = append(idle, v.tally.stop())
	}
	for _, done := range idle {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	r.endLoad()
	r.load.Wait()
	r.endShow()
	r.shown.Wait()
	r.look()
	r.events.settle(time.Now(), 0)
	r.show()
}

// close ends whatever still runs: the load, the relays, and the world under
// them.
func (r *run) close() error {
	r.endShow()
	r.endLoad()
	r.shown.Wait()
	r.load.Wait()
	r.endParts()
	if r.site != nil {
		r.site.close()
	}
	for _, v := range r.vantages {
		v.close()
	}
	r.parts.Wait()
	return r.world.Close()
}

// date is what the scenario's clock shows now.
func (r *run) date() time.Time { return r.scenario.Clock.Date(r.share()) }

func (r *run) share() float64 { return min(float64(time.Since(r.began))/float64(r.length), 1) }
