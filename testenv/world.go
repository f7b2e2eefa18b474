package testenv

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// ErrClosed is returned for what is asked of a closed world.
var ErrClosed = errors.New("testenv: world is closed")

// drainTime is how long Close waits before it names what hangs.
const drainTime = 5 * time.Second

// Config is what a world begins with. The zero value is usable.
type Config struct {
	// Seed decides everything that is drawn by lot: addresses, and which flows
	// a rule with a probability concerns.
	Seed uint64
	// Logger is told what happens in the world, at debug level per host and at
	// info level per rule. Nil discards it.
	Logger *slog.Logger
}

// World is a closed universe of clouds, ISPs and destinations. All its methods,
// and those of everything in it, are safe for concurrent use.
type World struct {
	net   *memnet.Network
	log   *slog.Logger
	began time.Time
	seed  uint64

	services sync.WaitGroup
	players  atomic.Int32 // strategies that are being played

	mu           sync.Mutex
	rng          *rand.Rand
	closed       bool
	clouds       []*Cloud
	isps         []*ISP
	destinations map[string]*Host
	hosts        []*Host
	byAddr       map[netip.Addr]*Host
	taken        map[netip.Addr]struct{}
	registry     blocker.Registry
	timers       map[*time.Timer]struct{}
	flows, inner uint64 // how many have crossed a border, and how many have not
}

// New returns an empty world.
func New(c Config) *World {
	w := &World{
		log:          c.Logger,
		seed:         c.Seed,
		rng:          rand.New(rand.NewPCG(c.Seed, 0x7465737465_6e76)),
		destinations: make(map[string]*Host),
		byAddr:       make(map[netip.Addr]*Host),
		taken:        make(map[netip.Addr]struct{}),
		timers:       make(map[*time.Timer]struct{}),
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	w.net = memnet.New(w.route)
	w.began = time.Now()
	return w
}

// Began is when the world was made.
func (w *World) Began() time.Time { return w.began }

// Close ends the world: every connection in it fails with net.ErrClosed, and
// everything that the world itself runs is waited for. After five seconds it
// returns an error that names what still hangs: services whose handlers have
// not returned. Close the programs under test first, and it is quiet.
func (w *World) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	for t := range w.timers {
		t.Stop()
	}
	w.timers = nil
	hosts := slices.Clone(w.hosts)
	w.mu.Unlock()

	_ = w.net.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var stopping sync.WaitGroup
		for _, h := range hosts {
			stopping.Go(h.Vanish)
		}
		stopping.Wait()
		w.services.Wait()
	}()
	patience := time.NewTimer(drainTime)
	defer patience.Stop()
	select {
	case <-done:
		return nil
	case <-patience.C:
	}
	var names []string
	for _, h := range hosts {
		names = append(names, h.running()...)
	}
	return fmt.Errorf("testenv: still running %v after close: %s", drainTime, strings.Join(names, "; "))
}

// after runs f at a later time, unless the world is closed by then.
func (w *World) after(d time.Duration, f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		w.mu.Lock()
		_, live := w.timers[t]
		delete(w.timers, t)
		if live {
			w.services.Add(1)
		}
		w.mu.Unlock()
		if live {
			defer w.services.Done()
			f()
		}
	})
	w.timers[t] = struct{}{}
}

// route is how packets run between two hosts: only what leaves an ISP crosses
// a border.
func (w *World) route(from *memnet.Host, source, to netip.AddrPort) memnet.Path {
	w.mu.Lock()
	defer w.mu.Unlock()
	far := w.distance(to.Addr())
	for _, i := range w.isps {
		if i.host == from {
			if i.prefix.Contains(to.Addr()) {
				return memnet.Path{}
			}
			w.flows++
			seed := w.seed ^ w.flows*0x9e3779b97f4a7c15
			if p := i.portal.Load(); p != nil && !i.cut.Load() {
				return memnet.Path{Near: i.config.Latency, NearLine: &i.line, Divert: p.listener, Seed: seed}
			}
			return memnet.Path{
				Near: i.config.Latency, NearLine: &i.line,
				Far: far, FarLine: w.line(to.Addr()),
				Border: i.border(source, to, seed), Seed: seed,
			}
		}
	}
	w.inner++
	p := memnet.Path{
		Near: w.distance(from.Addr()), NearLine: w.line(from.Addr()),
		Far: far, FarLine: w.line(to.Addr()),
		Seed: ^w.seed ^ w.inner*0x9e3779b97f4a7c15,
	}
	if h := w.byAddr[to.Addr()]; h != nil && h.cloud == nil {
		p.Near = 0
	}
	return p
}

// line is the line of the host at an address, or nil.
func (w *World) line(a netip.Addr) *memnet.Line {
	if h := w.byAddr[a]; h != nil {
		return &h.line
	}
	return nil
}

// distance is the one-way latency from the middle of the net to an address.
func (w *World) distance(a netip.Addr) time.Duration {
	if h := w.byAddr[a]; h != nil {
		return h.latency
	}
	for _, c := range w.clouds {
		if c.holds(a) {
			return c.config.Latency
		}
	}
	return 0
}

// isCloudHost reports whether an address belongs to a cloud, whoever has it.
func (w *World) isCloudHost(a netip.Addr) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.clouds, func(c *Cloud) bool { return c.holds(a) })
}
