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
)

// ErrClosed is returned for what is asked of a closed world.
var ErrClosed = errors.New("testenv: world is closed")

// drainTime is how long Close waits before it names what hangs.
const drainTime = 5 * time.Second

// bubbles is before any real time, and decades after that with which bubbles of
// testing/synctest begin.
var bubbles = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// Config is what a world begins with. The zero value is usable.
type Config struct {
	// Seed decides everything that is drawn by lot: addresses, and which flows
	// a rule with a probability concerns.
	Seed uint64
	// Logger is told what happens in the world, at debug level per host and at
	// info level per rule. Nil discards it.
	Logger *slog.Logger
	// Backend is what it runs on.
	Backend Backend
}

// World is a closed universe of clouds, ISPs and destinations. All its methods,
// and those of everything in it, are safe for concurrent use.
type World struct {
	on      backend
	log     *slog.Logger
	backend Backend
	began   time.Time
	seed    uint64

	services sync.WaitGroup
	players  atomic.Int32 // strategies that are being played

	mu           sync.Mutex
	rng          *rand.Rand
	closed       bool
	clouds       []*Cloud
	isps         []*ISP
	vantages     int // ISPs, those included that are being made
	destinations map[string]*Host
	hosts        []*Host
	byAddr       map[netip.Addr]*Host
	taken        map[netip.Addr]struct{}
	registry     blocker.Registry
	timers       map[*time.Timer]struct{}
	omitted      []string
	troubles     []error // what went wrong behind calls that return no error
}

// New is Open for tests written by hand: it panics if the backend cannot be
// had, which Memory always can.
func New(c Config) *World {
	w, err := Open(c)
	if err != nil {
		panic(err)
	}
	return w
}

// Open returns an empty world. It fails if the backend cannot be had: see
// kernel.Supported.
func Open(c Config) (*World, error) {
	on, err := c.Backend.choose()
	if err != nil {
		return nil, err
	}
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
	if on == Kernel && time.Now().Before(bubbles) {
		return nil, unsupported(Kernel, "virtual time, as in a bubble of testing/synctest,")
	}
	if on == Memory {
		w.on = newMemory(w)
	} else if w.on, err = newKernel(w); err != nil {
		return nil, fmt.Errorf("testenv: %w", err)
	}
	w.backend = on
	w.began = time.Now()
	if err := w.on.route(destinationPrefix); err != nil {
		return nil, errors.Join(fmt.Errorf("testenv: %w", err), w.on.close())
	}
	return w, nil
}

// Backend is what the world runs on.
func (w *World) Backend() Backend { return w.backend }

// Began is when the world was made.
func (w *World) Began() time.Time { return w.began }

// Close ends the world: every connection in it fails, and everything that the
// world itself runs is waited for. After five seconds it returns an error that
// names what still hangs: services whose handlers have not returned. Its error
// also tells what the backend could not do behind calls that return none. Close
// the programs under test first, and it is quiet.
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
	hosts, isps := slices.Clone(w.hosts), slices.Clone(w.isps)
	w.mu.Unlock()

	for _, i := range isps {
		w.trouble(i.vantage.traffic()) // the ledger can be asked afterwards
	}
	ended := w.on.close()
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
	case <-patience.C:
		var names []string
		for _, h := range hosts {
			names = append(names, h.running()...)
		}
		ended = errors.Join(ended, fmt.Errorf("testenv: still running %v after close: %s", drainTime, strings.Join(names, "; ")))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(append(w.troubles, ended)...)
}

// serve runs f as a part of the world that Close waits for. It reports whether
// the world was still open.
func (w *World) serve(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.services.Go(f)
	return true
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
