package verdicts

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/testenv"
)

// relayAt is where a relay serves its clients.
const relayAt = "127.0.0.1:1080"

// vantage is one ISP with the relay in it: relay, pool and prober as the program
// wires them, and the clients.
type vantage struct {
	scene *Scene
	isp   *testenv.ISP
	seed  uint64
	// struck are the endpoints that the events strike here.
	struck []*testenv.Host

	pool   *pool.Pool
	server *relay.Server
	end    context.CancelFunc
	parts  sync.WaitGroup

	mu     sync.Mutex
	events []pool.Event
	dials  map[netip.AddrPort][]dialled
	probes []int64 // bytes of each examination
}

// dialled is one connection that was opened to an endpoint.
type dialled struct {
	at    time.Time
	probe bool
}

// start starts a relay that remembers nothing.
func (v *vantage) start() error {
	s := v.scene
	v.mu.Lock()
	v.dials = make(map[netip.AddrPort][]dialled)
	v.mu.Unlock()
	prober := &probe.Prober{Upstream: &upstream.Dialer{Dial: v.dialAs(true)}}
	if s.c.Setting.Foreign {
		prober.Targets = []probe.Target{{Host: probeSite, Port: 80, Path: probePath}}
	}
	var err error
	v.pool, err = pool.New(pool.Config{
		Active: s.c.Setting.Active, Seed: v.seed, Prober: pool.ProberFunc(func(ctx context.Context, spec policy.Spec, look policy.Look) policy.Examination {
			return v.examine(ctx, prober, spec, look)
		}),
	})
	if err != nil {
		return err
	}
	if err := v.pool.Add(s.specs()...); err != nil {
		return err
	}
	v.server, err = relay.New(relay.Config{
		Pool: v.pool, Upstream: &upstream.Dialer{Dial: v.dialAs(false)}, Seed: v.seed,
	})
	if err != nil {
		return err
	}
	l, err := v.isp.Listen("tcp", relayAt)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(context.Background())
	v.end = func() {
		_ = v.server.Close()
		_ = l.Close()
		end()
	}
	watch := v.pool.Watch()
	v.parts.Go(func() { _ = v.pool.Run(ctx) })
	v.parts.Go(func() { _ = v.server.Serve(l) })
	v.parts.Go(func() { v.note(watch) })
	return nil
}

// stop ends the relay, and waits for it.
func (v *vantage) stop() {
	if v.end != nil {
		v.end()
		v.end = nil
	}
	v.parts.Wait()
}

// note keeps what the pool tells, until it has ended.
func (v *vantage) note(w *pool.Watch) {
	defer w.Close()
	for {
		ev, err := w.Next(context.Background())
		if err != nil {
			return
		}
		v.mu.Lock()
		v.events = append(v.events, ev)
		v.mu.Unlock()
	}
}

// told is what the pool has told so far.
func (v *vantage) told() []pool.Event {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]pool.Event(nil), v.events...)
}

// dialAs lets relay or prober dial from the ISP, and notes it.
func (v *vantage) dialAs(probe bool) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if to, err := netip.ParseAddrPort(address); err == nil {
			v.mu.Lock()
			v.dials[to] = append(v.dials[to], dialled{time.Now(), probe})
			v.mu.Unlock()
		}
		c, err := v.isp.DialContext(ctx, network, address)
		if err != nil || !probe {
			return c, err
		}
		return weigh(ctx, c), nil
	}
}

// dialsTo is when an endpoint was dialled, by relay or prober, since a moment.
func (v *vantage) dialsTo(h *testenv.Host, since time.Time) (dials []dialled) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, d := range v.dials[netip.AddrPortFrom(h.Addr(), h.Spec().Port)] {
		if !d.at.Before(since) {
			dials = append(dials, d)
		}
	}
	return dials
}

// state is where the pool has an endpoint.
func (v *vantage) state(h *testenv.Host) policy.State {
	return v.pool.Endpoint(h.Spec().Name()).State()
}

// row is what the pool's table holds of an endpoint.
func (v *vantage) row(h *testenv.Host) *pool.Row {
	name := h.Spec().Name()
	for _, r := range v.pool.Endpoints() {
		if r.Name == name {
			return r
		}
	}
	return nil
}
