package relay_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/proxy"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/testenv"
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

// suite is what a request sends.
type suite struct {
	name   string
	port   string
	flight []byte
	replay relay.Replay
}

func suites() []suite {
	return []suite{
		{name: "A/GET", port: "80", flight: []byte("GET / HTTP/1.1\r\nHost: site.lab\r\n\r\n")},
		{name: "A/TLS", port: "443", flight: clientHello("site.lab")},
		{name: "B", port: "9", flight: []byte("?"), replay: relay.Always},
	}
}

// seed is that of every draw in the arena, 1 unless the environment says
// otherwise: PAPERPLANE_SEED=7 go test ./relay.
func seed() uint64 {
	n, err := strconv.ParseUint(cmp.Or(os.Getenv("PAPERPLANE_SEED"), "1"), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// clientHello is the first flight of a real TLS client.
func clientHello(name string) []byte {
	near, far := net.Pipe()
	defer far.Close()
	go func() {
		_ = tls.Client(near, &tls.Config{ServerName: name}).Handshake()
	}()
	buf := make([]byte, 4096)
	n, err := far.Read(buf)
	if err != nil {
		panic(err)
	}
	near.Close()
	return buf[:n]
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

type request struct {
	start time.Time
	took  time.Duration // until the first byte
	via   netip.Addr
	err   error
	whole bool // all that was asked for came
}

type dial struct {
	at time.Time
	to string
	by string
}

// stream is a long one: a message every 200 ms, each of which is echoed.
type stream struct {
	start time.Time
	via   netip.Addr
	mu    sync.Mutex
	last  time.Time
	ended time.Time
	err   error
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

// inArena runs play in a bubble, with the load already going for warm.
func inArena(t *testing.T, o options, play func(a *arena)) {
	synctest.Test(t, func(t *testing.T) {
		a := &arena{t: t, suite: o.suite, began: time.Now()}
		stop := a.build(o)
		defer stop()
		time.Sleep(warm)
		play(a)
	})
}

func (a *arena) build(o options) (stop func()) {
	t := a.t
	a.world = testenv.New(testenv.Config{Seed: seed()})
	sites, border := o.sites()
	a.isp = a.world.ISP("isp", testenv.ISPConfig{Latency: border, Loss: o.loss})
	a.lossy = o.loss > 0
	for _, s := range sites {
		a.farthest = max(a.farthest, 2*(border+s.latency))
	}
	var clouds []*testenv.Cloud
	for _, s := range sites {
		c := testenv.CloudConfig{Latency: s.latency}
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
	var err error
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

func serve(t *testing.T, h *testenv.Host, port uint16, f func(net.Conn)) {
	t.Helper()
	if err := h.Serve(port, f); err != nil {
		t.Fatal(err)
	}
}

func addrOf(a net.Addr) netip.Addr {
	return a.(*net.TCPAddr).AddrPort().Addr().Unmap()
}

// web answers GET / in few bytes and GET /64k in many. The first line tells
// through which endpoint it was asked.
func (a *arena) web(c net.Conn) {
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil {
		return
	}
	for h := line; h != "\r\n"; {
		if h, err = r.ReadString('\n'); err != nil {
			return
		}
	}
	fmt.Fprintf(c, "via %s\n", addrOf(c.RemoteAddr()))
	if strings.HasPrefix(line, "GET /64k") {
		_, _ = c.Write(make([]byte, 64<<10))
	}
}

// answerAny answers whatever comes first.
func answerAny(c net.Conn) {
	if _, err := c.Read(make([]byte, 4096)); err == nil {
		fmt.Fprintf(c, "via %s\n", addrOf(c.RemoteAddr()))
	}
}

// open asks the relay for a destination, as a client of the given name.
func (a *arena) open(ctx context.Context, client, destination string) (net.Conn, error) {
	c, err := a.isp.DialContext(ctx, "tcp", "127.0.0.1:1080")
	if err != nil {
		return nil, err
	}
	d, err := proxy.SOCKS5("tcp", "", &proxy.Auth{User: client, Password: "-"}, nil)
	if err != nil {
		return nil, err
	}
	dialer := d.(interface {
		DialWithConn(context.Context, net.Conn, string, string) (net.Addr, error)
	})
	if _, err := dialer.DialWithConn(ctx, c, "tcp", destination); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// client sends a request every 2.5 s, at its own moments.
func (a *arena) client(ctx context.Context, n int, path string) {
	name := fmt.Sprintf("client-%d", n)
	wait := time.Duration(n) * 50 * time.Millisecond
	var asked sync.WaitGroup
	defer asked.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = 2500 * time.Millisecond
		asked.Go(func() {
			r := a.ask(name, "site.lab:"+a.suite.port, path)
			a.mu.Lock()
			a.requests = append(a.requests, r)
			a.mu.Unlock()
		})
	}
}

// ask makes one request and waits for its first byte, or all of an object.
func (a *arena) ask(client, destination, path string) (r request) {
	r.start = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := a.open(ctx, client, destination)
	if err != nil {
		r.err = fmt.Errorf("CONNECT after %v: %w", time.Since(r.start), err)
		return r
	}
	defer c.Close()
	_ = c.SetDeadline(r.start.Add(patience))
	flight := a.suite.flight
	if path != "" {
		flight = []byte("GET " + path + " HTTP/1.1\r\nHost: site.lab\r\n\r\n")
	}
	if _, err := c.Write(flight); err != nil {
		r.err = fmt.Errorf("first flight: %w", err)
		return r
	}
	first := bufio.NewReader(c)
	if _, err := first.Peek(1); err != nil {
		r.err = fmt.Errorf("first byte after %v: %w", time.Since(r.start), err)
		return r
	}
	r.took = time.Since(r.start)
	line, err := first.ReadString('\n')
	if err != nil {
		return r
	}
	r.via, _ = netip.ParseAddr(strings.TrimSpace(strings.TrimPrefix(line, "via ")))
	if path == "/64k" {
		n, _ := io.Copy(io.Discard, first)
		r.whole = n == 64<<10
	} else {
		r.whole = true
	}
	return r
}

// long keeps a stream open: when it is cut, the next one is asked for at once,
// which is a request like any other.
func (a *arena) long(ctx context.Context, name string) {
	for ctx.Err() == nil {
		asked := time.Now()
		limit, cancel := context.WithTimeout(ctx, patience)
		c, err := a.open(limit, name, "site.lab:7")
		cancel()
		if ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return
		}
		if err == nil {
			s := &stream{start: asked}
			a.mu.Lock()
			a.streams = append(a.streams, s)
			a.mu.Unlock()
			a.echo(ctx, s, c)
			continue
		}
		a.mu.Lock()
		a.requests = append(a.requests, request{start: asked, err: fmt.Errorf("a long stream: %w", err)})
		a.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (a *arena) echo(ctx context.Context, s *stream, c net.Conn) {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	s.mu.Lock()
	s.via, _ = netip.ParseAddr(strings.TrimSpace(strings.TrimPrefix(line, "via ")))
	s.mu.Unlock()
	for err == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
		if _, err = c.Write([]byte("ping")); err != nil {
			break
		}
		if _, err = io.ReadFull(r, make([]byte, 4)); err == nil {
			s.mu.Lock()
			s.last = time.Now()
			s.mu.Unlock()
		}
	}
	if ctx.Err() == nil {
		s.mu.Lock()
		s.ended, s.err = time.Now(), err
		s.mu.Unlock()
	}
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

// long streams so far, those that have ended included.
func (a *arena) longs() []*stream {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.streams)
}

// since is a copy of the requests that were started at t or later.
func (a *arena) since(t time.Time) (rs []request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.requests {
		if !r.start.Before(t) {
			rs = append(rs, r)
		}
	}
	return rs
}
