package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/proxy"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/relay/exit"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// rigTrip is the round trip between the relay and each endpoint of a rig. There
// is none between endpoints and destinations.
const rigTrip = 40 * time.Millisecond

// rig is a relay with a pool over a network in memory, for one behaviour at a
// time. Endpoints are numbered from 0; the client "a" is sticky to one of them.
type rig struct {
	t       *testing.T
	network *memnet.Network
	home    *memnet.Host
	pool    *pool.Pool
	server  *relay.Server
	hosts   []*memnet.Host
	site    *memnet.Host

	mu     sync.Mutex
	border map[netip.Addr]blocker.Act
	older  map[netip.Addr]forgetting
	rules  map[netip.Addr]*blocker.RuleSet
	lost   map[netip.Addr]time.Time // the first packet lost to a rule
	told   []telling
	asked  map[string]int // CONNECTs by endpoint
	dialed map[string]int // dials by address
	trail  []rigDial      // those of the relay

	over chan struct{} // closed when play has ended
}

// rigDial is one connection that the relay has opened.
type rigDial struct {
	at       time.Time
	endpoint int
	state    policy.State // of the endpoint, then
	conn     *memnet.Conn
}

// forgetting is what the border does to flows that are older than a given time.
type forgetting struct {
	before time.Time
	act    blocker.Act
}

// telling is what the pool was told of an endpoint.
type telling struct {
	endpoint int
	policy.Evidence
}

type rigConfig struct {
	endpoints int           // default 4
	active    int           // of them; default 8
	trip      time.Duration // in place of rigTrip
	password  string        // of the endpoints' user, if not empty
	relay     relay.Config
	noProbes  bool
	// wrap, if not nil, stands between the relay and its connections to endpoints.
	wrap func(number int, c *memnet.Conn) net.Conn
	// interfere, if not nil, may fail a dial of the relay's.
	interfere func() error
	// socks, if not nil, replaces the endpoint of a number.
	socks map[int]func(net.Conn)
	// destination, if not nil, dials destinations in place of the site.
	destination func(ctx context.Context, number int, address string) (net.Conn, error)
}

// inRig runs play in a bubble, around which everything is taken down.
func inRig(t *testing.T, c rigConfig, play func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{
			t: t, border: make(map[netip.Addr]blocker.Act), older: make(map[netip.Addr]forgetting),
			rules: make(map[netip.Addr]*blocker.RuleSet), lost: make(map[netip.Addr]time.Time),
			asked: make(map[string]int), dialed: make(map[string]int), over: make(chan struct{}),
		}
		if c.trip == 0 {
			c.trip = rigTrip
		}
		r.network = memnet.New(func(_ *memnet.Host, _, to netip.AddrPort) memnet.Path {
			if to.Addr().As4()[0] == 52 {
				return memnet.Path{Near: c.trip / 4, Far: c.trip / 4, Border: &rigBorder{rig: r, born: time.Now(), flow: blocker.Flow{Server: to}}}
			}
			return memnet.Path{}
		})
		r.home = r.host("192.168.1.2")
		r.site = r.host("93.184.216.1")
		stop := r.build(c)
		time.Sleep(time.Second) // the pool fills its slots
		play(r)
		close(r.over)
		stop()
	})
}

func (r *rig) host(addr string) *memnet.Host {
	h, err := r.network.Host(netip.MustParseAddr(addr))
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

func (r *rig) build(c rigConfig) (stop func()) {
	if c.endpoints == 0 {
		c.endpoints = 4
	}
	var wg sync.WaitGroup
	var closers []func()
	for n := range c.endpoints {
		h := r.host(fmt.Sprintf("52.%d.4.%d", 58+n, 7+n))
		r.hosts = append(r.hosts, h)
		l, err := h.Listen(1080)
		if err != nil {
			r.t.Fatal(err)
		}
		if f := c.socks[n]; f != nil {
			wg.Go(func() { rigAccept(l, f) })
			closers = append(closers, func() { l.Close() })
			continue
		}
		e := &exit.Server{Open: c.password == "", Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
			r.count(r.asked, h.Addr().String())
			if c.destination != nil {
				return c.destination(ctx, n, address)
			}
			return r.reach(ctx, n, address)
		}}
		if c.password != "" {
			e.Users = map[string]string{"relay": c.password}
		}
		wg.Go(func() { _ = e.Serve(l) })
		closers = append(closers, func() { e.Close() })
	}

	dial := func(ctx context.Context, address string) (*memnet.Conn, error) {
		r.count(r.dialed, address)
		if c.interfere != nil {
			if err := c.interfere(); err != nil {
				return nil, err
			}
		}
		return r.home.Dial(ctx, netip.MustParseAddrPort(address))
	}
	prober := &upstream.Dialer{Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
		return dial(ctx, address)
	}}
	dialer := &upstream.Dialer{Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
		n := r.number(address)
		d := rigDial{at: time.Now(), endpoint: n, state: r.state(n)}
		conn, err := dial(ctx, address)
		d.conn = conn
		r.mu.Lock()
		r.trail = append(r.trail, d)
		r.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if c.wrap != nil {
			return c.wrap(n, conn), nil
		}
		return conn, nil
	}}
	cfg := pool.Config{Seed: 1, Active: c.active, Prober: rigProber(prober)}
	if c.noProbes {
		cfg.Prober = nil
	}
	var err error
	if r.pool, err = pool.New(cfg); err != nil {
		r.t.Fatal(err)
	}
	for n, h := range r.hosts {
		spec := policy.Spec{Host: h.Addr().String(), Addr: h.Addr(), Port: 1080, Provider: fmt.Sprint("p", n)}
		if c.password != "" {
			spec.User, spec.Password = "relay", c.password
		}
		if err := r.pool.Add(spec); err != nil {
			r.t.Fatal(err)
		}
	}
	c.relay.Pool, c.relay.Upstream, c.relay.Evidence = r.pool, dialer, r.note
	if r.server, err = relay.New(c.relay); err != nil {
		r.t.Fatal(err)
	}
	l, err := r.home.ListenLoopback(1080)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	wg.Go(func() { _ = r.pool.Run(ctx) })
	wg.Go(func() {
		if err := r.server.Serve(l); !errors.Is(err, relay.ErrServerClosed) {
			r.t.Errorf("Serve: %v", err)
		}
	})
	return func() {
		r.server.Close()
		cancel()
		for _, f := range closers {
			f()
		}
		r.network.Close()
		wg.Wait()
	}
}

// reach is how endpoints reach the site.
func (r *rig) reach(ctx context.Context, n int, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return r.hosts[n].Dial(ctx, netip.MustParseAddrPort("93.184.216.1:"+port))
}

func (r *rig) count(m map[string]int, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m[key]++
}

func (r *rig) counted(m map[string]int, key string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m[key]
}

// block does the same to every packet to and from an endpoint from now on.
func (r *rig) block(n int, act blocker.Act) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.border[r.hosts[n].Addr()] = act
}

// forget does it to the connections only that there are by now.
func (r *rig) forget(n int, act blocker.Act) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.older[r.hosts[n].Addr()] = forgetting{time.Now(), act}
}

// rule has the border do something to the flows of an endpoint from now on, and
// nothing any more if there is nothing to do.
func (r *rig) rule(n int, do ...blocker.Action) {
	r.mu.Lock()
	defer r.mu.Unlock()
	addr := r.hosts[n].Addr()
	rules, _ := r.rules[addr].Replacing(nil)
	for _, a := range do {
		rules, _ = rules.With(blocker.Rule{Do: a})
	}
	r.rules[addr] = rules
}

// lostAt is when the first packet of a flow was lost to the rule for an endpoint.
func (r *rig) lostAt(n int) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost[r.hosts[n].Addr()]
}

// note is told what the pool is told.
func (r *rig) note(ep *pool.Endpoint, ev policy.Evidence) {
	n := r.number(ep.Name())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, telling{n, ev})
}

// tellings are those of a phase, with one of the given outcomes.
func (r *rig) tellings(p policy.Phase, outcomes ...policy.Outcome) (found []telling) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.told {
		if t.Phase == p && slices.Contains(outcomes, t.Outcome) {
			found = append(found, t)
		}
	}
	return found
}

type rigBorder struct {
	rig  *rig
	born time.Time
	flow blocker.Flow
}

func (b *rigBorder) Inspect(p blocker.Packet, now time.Time) blocker.Decision {
	b.rig.mu.Lock()
	defer b.rig.mu.Unlock()
	addr := b.flow.Server.Addr()
	if f := b.rig.older[addr]; b.born.Before(f.before) {
		return blocker.Decision{Act: f.act}
	}
	if act := b.rig.border[addr]; act != blocker.Forward {
		return blocker.Decision{Act: act}
	}
	d := b.flow.Decide(b.rig.rules[addr], nil, p, now)
	if d.Act == blocker.Discard && b.rig.lost[addr].IsZero() {
		b.rig.lost[addr] = now
	}
	return d
}

// serve has the site answer on a port.
func (r *rig) serve(port uint16, f func(net.Conn)) {
	l, err := r.site.Listen(port)
	if err != nil {
		r.t.Fatal(err)
	}
	go rigAccept(l, f)
}

func rigAccept(l net.Listener, f func(net.Conn)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer c.Close()
			f(c)
		})
	}
}

// rigProber greets, and has no view of what an endpoint carries.
func rigProber(d *upstream.Dialer) pool.ProberFunc {
	return func(ctx context.Context, spec policy.Spec, look policy.Look) policy.Examination {
		x := policy.Examination{Asked: time.Now(), Depth: look.Depth}
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		c, err := d.Connect(ctx, spec)
		x.Phase = policy.Connect
		if err == nil {
			x.Phase, x.RTT = policy.Greeting, time.Since(x.Asked)
			var s *upstream.Session
			if s, err = d.Negotiate(ctx, c, spec); err == nil {
				s.Close()
			}
		}
		x.At, x.Greeting, x.Err = time.Now(), upstream.Classify(err), err
		return x
	}
}

// open asks the relay for a destination in the name of client.
func (r *rig) open(client, destination string) (net.Conn, error) {
	c := r.connect()
	if err := rigAsk(c, client, destination); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (r *rig) mustOpen(client, destination string) net.Conn {
	r.t.Helper()
	c, err := r.open(client, destination)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) connect() *memnet.Conn {
	r.t.Helper()
	c, err := r.home.Dial(r.t.Context(), netip.MustParseAddrPort("127.0.0.1:1080"))
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// rigAsk is a SOCKS5 client's part of the handshake.
func rigAsk(c net.Conn, client, destination string) error {
	d, err := proxy.SOCKS5("tcp", "", &proxy.Auth{User: client, Password: "-"}, nil)
	if err != nil {
		return err
	}
	_, err = d.(interface {
		DialWithConn(context.Context, net.Conn, string, string) (net.Addr, error)
	}).DialWithConn(context.Background(), c, "tcp", destination)
	return err
}

// first is the number of the endpoint that client's requests go to.
func (r *rig) first(client string) int {
	r.t.Helper()
	return r.place(client, 0)
}

// place is the number of client's choice i.
func (r *rig) place(client string, i int) int {
	r.t.Helper()
	lease := r.pool.Lease(client)
	var ep *pool.Endpoint
	for range i + 1 {
		ep = lease.Next()
	}
	if ep == nil {
		r.t.Fatalf("no choice %d", i)
	}
	return r.number(ep.Name())
}

func (r *rig) number(name string) int {
	for n, h := range r.hosts {
		if strings.HasPrefix(name, h.Addr().String()+":") {
			return n
		}
	}
	return -1
}

func (r *rig) state(n int) policy.State {
	return r.pool.Endpoint(r.hosts[n].Addr().String() + ":1080").State()
}

// carrier is the number of the endpoint with a stream open, -1 if none has.
func (r *rig) carrier() int {
	for n, h := range r.hosts {
		if r.pool.Endpoint(h.Addr().String()+":1080").Streams().Load() > 0 {
			return n
		}
	}
	return -1
}

// exchange says something and returns the answer, a line.
func exchange(c net.Conn, say string) (string, error) {
	if say != "" {
		if _, err := io.WriteString(c, say); err != nil {
			return "", err
		}
	}
	b := make([]byte, 256)
	n, err := c.Read(b)
	return strings.TrimSpace(string(b[:n])), err
}

// tellVia answers the first bytes with the address they came from.
func tellVia(c net.Conn) {
	if _, err := c.Read(make([]byte, 4096)); err == nil {
		fmt.Fprintf(c, "%s\n", c.RemoteAddr().(*net.TCPAddr).IP)
	}
}
