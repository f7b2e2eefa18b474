package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// vantage is one ISP with the relay in it, and the clients of that relay.
type vantage struct {
	plan     scenario.ISP
	isp      *testenv.ISP
	pool     *pool.Pool
	relay    *relay.Server
	listener net.Listener
	// client reaches the relay, tls is what its clients trust.
	client *upstream.Dialer
	tls    *tls.Config
	tally  *tally
	// runs tells of an endpoint whether its process does.
	runs func(*testenv.Host) bool
	cut  atomic.Bool // its own network is down

	mu    sync.Mutex
	known []*testenv.Host // the endpoints that the pool has been told of
}

// vantage makes the relay of an ISP. Without a listener that of the first serves
// at a free port of this machine, and any other clients within the world only.
func (r *run) vantage(plan scenario.ISP, isp *testenv.ISP, l net.Listener) (*vantage, error) {
	v := &vantage{plan: plan, isp: isp, listener: l, runs: r.stage.Runs, tally: newTally()}
	v.client = &upstream.Dialer{}
	var err error
	switch {
	case l != nil:
	case len(r.vantages) == 0:
		v.listener, err = net.Listen("tcp", "127.0.0.1:0")
	default:
		v.client.Dial = v.isp.DialContext
		v.listener, err = v.isp.Listen("tcp", "127.0.0.1:1080")
	}
	if err != nil {
		return nil, err
	}
	dialer := &upstream.Dialer{Dial: v.isp.DialContext}
	seed := r.seed + uint64(len(r.vantages))
	v.pool, err = pool.New(pool.Config{
		Active: r.scenario.Pool.Active, RotateEvery: r.scenario.Pool.RotateEvery,
		Seed: seed, Prober: &probe.Prober{Upstream: dialer}, Logger: r.log,
	})
	if err != nil {
		return nil, errors.Join(err, v.listener.Close())
	}
	v.relay, err = relay.New(relay.Config{
		Pool: v.pool, Upstream: dialer, Patience: patience, Seed: seed, Logger: r.log,
	})
	if err != nil {
		return nil, errors.Join(err, v.listener.Close())
	}
	return v, nil
}

// run lets the pool and the relay run until ctx ends and close was called.
func (v *vantage) run(ctx context.Context, parts *sync.WaitGroup) {
	parts.Go(func() { _ = v.pool.Run(ctx) })
	parts.Go(func() { _ = v.relay.Serve(v.listener) })
}

// close cuts what is left of the relay's clients.
func (v *vantage) close() {
	_ = v.relay.Close()
	_ = v.listener.Close()
}

// forget notes that an endpoint is gone.
func (v *vantage) forget(h *testenv.Host) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known = slices.DeleteFunc(v.known, func(k *testenv.Host) bool { return k == h })
}

// learn tells the pool of an endpoint.
func (v *vantage) learn(h *testenv.Host) error {
	if err := v.pool.Add(h.Spec()); err != nil {
		return fmt.Errorf("%s: %w", v.plan.Name, err)
	}
	v.mu.Lock()
	v.known = append(v.known, h)
	v.mu.Unlock()
	v.weigh(time.Now())
	return nil
}

// covers reports whether the ISP has a rule for an address: the truth.
func (v *vantage) covers(a netip.Addr) bool { return v.isp.Rules().Covers(a, time.Now()) }

// weigh notes whether any known endpoint can be reached at this moment: one that
// runs, and is free of rules.
func (v *vantage) weigh(now time.Time) {
	rules := v.isp.Rules()
	v.mu.Lock()
	reachable := false
	for _, h := range v.known {
		reachable = reachable || !rules.Covers(h.Addr(), now) && v.runs(h)
	}
	v.mu.Unlock()
	v.tally.reachable(now, reachable && !v.cut.Load())
}

// inUse is the addresses of the endpoints that serve clients now.
func (v *vantage) inUse() map[netip.Addr]bool {
	use := make(map[netip.Addr]bool)
	for _, row := range v.pool.Endpoints() {
		if row.State == policy.Active {
			use[row.Spec.Addr] = true
		}
	}
	return use
}
