package lab

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// run is one playing of a scenario: the world, what runs in it, and the books.
type run struct {
	scenario *scenario.Scenario
	length   time.Duration
	seed     uint64
	display  Display
	log      *slog.Logger

	world    *testenv.World
	stage    *scenario.Stage
	site     *site
	vantages []*vantage

	began  time.Time
	events *diary
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

func newRun(l *Lab, s *scenario.Scenario) *run {
	r := &run{
		scenario: s, length: l.length(s), seed: l.Seed,
		display: l.Display, log: l.Logger,
		endLoad: func() {}, endParts: func() {}, endShow: func() {},
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.events = new(diary)
	r.harm.settled(s.Clouds)
	return r
}

// build makes the world and everything in it. Nothing asks for anything yet.
func (r *run) build(first net.Listener) (err error) {
	defer func() {
		if first != nil {
			_ = first.Close()
		}
	}()
	r.world = testenv.New(testenv.Config{Seed: r.seed, Logger: r.log, Backend: testenv.Memory})
	speed := float64(r.scenario.Lasts) / float64(r.length)
	if r.stage, err = r.scenario.Build(r.world, scenario.Options{Speed: speed, Seed: r.seed}); err != nil {
		return err
	}
	r.stage.Around = r.around
	for i, plan := range r.scenario.ISPs {
		l := first
		first = nil
		v, err := r.vantage(plan, r.stage.ISPs[i], l)
		if err != nil {
			return err
		}
		r.vantages = append(r.vantages, v)
	}
	if r.site, err = newSite(r.world, r.scenario.Destinations); err != nil {
		return err
	}
	_, err = r.learn(r.stage.Endpoints())
	return err
}

// learn tells every relay of endpoints, and counts those that are born blocked.
func (r *run) learn(hosts []*testenv.Host) (born int, err error) {
	for _, h := range hosts {
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
	r.began = r.stage.Began
	partsCtx, endParts := context.WithCancel(context.Background())
	loadCtx, endLoad := context.WithCancel(context.Background())
	showCtx, endShow := context.WithCancel(context.Background())
	r.endParts, r.endLoad, r.endShow = endParts, endLoad, endShow
	for i, v := range r.vantages {
		v.tls = &tls.Config{RootCAs: r.site.roots, MinVersion: tls.VersionTLS13}
		v.tally.begin(r.began, r.length)
		v.run(partsCtx, &r.parts)
		r.load.Go(func() { v.load(loadCtx, r.loadOf(i), r.seed+uint64(i)) })
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
func (r *run) date() time.Time { return r.stage.Date(time.Now()) }
