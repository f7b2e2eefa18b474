package failure_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// The arena of the failure table: 16 endpoints in four prefixes of two
// providers, 50 clients whose requests never stop and are never repeated, and
// long streams. A request fails if CONNECT is not granted, or its first
// destination byte does not come, within patience.
const (
	patience = 10 * time.Second
	// oneWay is the latency of each of the two halves of the path, so that a
	// round trip takes 80 ms.
	oneWay = 20 * time.Millisecond
	rtt    = 4 * oneWay
	// warm is how long the arena runs before anything is done to it.
	warm = 20 * time.Second
)

// seed is that of every draw in the arena, 1 unless the environment says
// otherwise: PAPERPLANE_SEED=7 go test ./relay/failure.
func seed() uint64 {
	n, err := strconv.ParseUint(cmp.Or(os.Getenv("PAPERPLANE_SEED"), "1"), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

type arena struct {
	t         *testing.T
	suite     suite
	world     *testenv.World
	isp       *testenv.ISP
	endpoints []*testenv.Host
	pool      *pool.Pool
	server    *relay.Server
	began     time.Time
	farthest  time.Duration // the longest round trip to an endpoint
	lossy     bool

	mu       sync.Mutex
	requests []request
	dials    []dial // by relay and probes, towards endpoints
	events   []pool.Event
	streams  []*stream
}

type dial struct {
	at time.Time
	to string
	by string
}

type options struct {
	suite  suite
	active int
	path   string // of GET requests
	// selector spreads the clients; nil means sticky.
	selector policy.Selector
	// adjust may add destinations or change the world before the relay starts.
	adjust func(*arena)
	// control, if not nil, makes a control outside of the pool.
	control func(*arena) pool.Control
	// quiet leaves out the load: the test asks for itself.
	quiet bool
	// spread has three providers, at round trips of 20, 60 and 100 ms.
	spread bool
	// halves has two providers, with one prefix each.
	halves bool
	// loss is the share of packets lost at random.
	loss float64
}

// site is prefixes of a provider, and its latency.
type site struct {
	provider string
	prefixes []string
	latency  time.Duration
}

// sites are where the endpoints live, and the latency to the border.
func (o options) sites() ([]site, time.Duration) {
	if o.spread {
		return []site{
			{"amazon", []string{"52.58.0.0/16", "18.196.0.0/16"}, 5 * time.Millisecond},
			{"google", []string{"35.192.0.0/16"}, 25 * time.Millisecond},
			{"azure", []string{"51.136.0.0/16"}, 45 * time.Millisecond},
		}, 5 * time.Millisecond
	}
	if o.halves {
		return []site{
			{"amazon", []string{"52.58.0.0/16"}, oneWay},
			{"google", []string{"35.192.0.0/16"}, oneWay},
		}, oneWay
	}
	return []site{
		{"amazon", []string{"52.58.0.0/16", "18.196.0.0/16"}, oneWay},
		{"google", []string{"35.192.0.0/16", "35.224.0.0/16"}, oneWay},
	}, oneWay
}

// inArena runs play in a world, with the load already going for warm.
func inArena(t *testing.T, o options, play func(a *arena)) {
	worldtest.Run(t, func(t *testing.T) {
		a := &arena{t: t, suite: o.suite, began: time.Now()}
		stop := a.build(o)
		defer stop()
		time.Sleep(warm)
		play(a)
	})
}

func (a *arena) build(o options) (stop func()) {
	t := a.t
	var err error
	if a.world, err = testenv.Open(testenv.Config{Seed: seed()}); err != nil {
		t.Fatal(err)
	}
	sites, border := o.sites()
	a.isp = a.world.ISP("isp", testenv.ISPConfig{Latency: worldtest.Far(border), Loss: o.loss})
	a.lossy = o.loss > 0
	for _, s := range sites {
		a.farthest = max(a.farthest, 2*worldtest.Far(border+s.latency))
	}
	var clouds []*testenv.Cloud
	for _, s := range sites {
		c := testenv.CloudConfig{Latency: worldtest.Far(s.latency)}
		for _, p := range s.prefixes {
			c.Prefixes = append(c.Prefixes, netip.MustParsePrefix(p))
		}
		clouds = append(clouds, a.world.Cloud(s.provider, c))
	}
	for n := range 16 {
		at := n % len(sites)
		prefixes := sites[at].prefixes
		wish := netip.MustParsePrefix(prefixes[n/len(sites)%len(prefixes)])
		h, err := clouds[at].Launch(testenv.EndpointConfig{Prefix: wish})
		if err != nil {
			t.Fatal(err)
		}
		a.endpoints = append(a.endpoints, h)
	}
	site := a.world.Destination("site.lab", testenv.DestinationConfig{})
	serve(t, site, 80, a.web)
	serve(t, site, 443, answerAny)
	serve(t, site, 9, answerAny)
	serve(t, site, 7, func(c net.Conn) {
		fmt.Fprintf(c, "via %s\n", addrOf(c.RemoteAddr()))
		_, _ = io.Copy(c, c)
	})
	if o.adjust != nil {
		o.adjust(a)
	}

	var controls []pool.Control
	if o.control != nil {
		controls = append(controls, o.control(a))
	}
	a.pool, err = pool.New(pool.Config{
		Active: o.active, Selector: o.selector, Controls: controls,
		Seed:   seed(),
		Prober: &probe.Prober{Upstream: &upstream.Dialer{Dial: a.dialAs("probe")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range a.endpoints {
		if err := a.pool.Add(h.Spec()); err != nil {
			t.Fatal(err)
		}
	}
	a.server, err = relay.New(relay.Config{
		Pool: a.pool, Upstream: &upstream.Dialer{Dial: a.dialAs("relay")}, Patience: patience, Replay: o.suite.replay, Seed: seed(),
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := a.isp.Listen("tcp", "127.0.0.1:1080")
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	watch := a.pool.Watch()
	wg.Go(func() { _ = a.pool.Run(ctx) })
	wg.Go(func() {
		for {
			ev, err := watch.Next(context.Background())
			if err != nil {
				return
			}
			a.mu.Lock()
			a.events = append(a.events, ev)
			a.mu.Unlock()
		}
	})
	wg.Go(func() {
		if err := a.server.Serve(l); !errors.Is(err, relay.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	load, endLoad := context.WithCancel(ctx)
	var clients sync.WaitGroup
	people, long := 50, 12
	if o.quiet {
		people, long = 0, 0
	}
	for n := range people {
		clients.Go(func() { a.client(load, n, o.path) })
	}
	for n := range long {
		clients.Go(func() { a.long(load, fmt.Sprintf("long-%d", n)) })
	}
	return func() {
		endLoad()
		clients.Wait()
		if err := a.server.Close(); err != nil {
			t.Errorf("closing the relay: %v", err)
		}
		cancel()
		wg.Wait()
		if err := a.world.Close(); err != nil {
			t.Errorf("closing the world: %v", err)
		}
	}
}

// dialAs lets relay and probes dial from the ISP, and notes it.
func (a *arena) dialAs(who string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		a.mu.Lock()
		a.dials = append(a.dials, dial{at: time.Now(), to: address, by: who})
		a.mu.Unlock()
		return a.isp.DialContext(ctx, network, address)
	}
}

// block has the ISP obey a rule from now on.
func (a *arena) block(r blocker.Rule) blocker.RuleID {
	a.t.Helper()
	id, err := a.isp.Add(r)
	if err != nil {
		a.t.Fatal(err)
	}
	return id
}

// active lists the endpoints that serve now, in a fixed order.
func (a *arena) active() (hosts []*testenv.Host) {
	for _, h := range a.endpoints {
		if a.pool.Endpoint(h.Spec().Name()).State() == policy.Active {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

func (a *arena) inState(s policy.State) int { return len(a.pool.InState(s)) }
