package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// vantage is one ISP with the relay in it, and the clients of that relay.
type vantage struct {
	plan     ISPPlan
	isp      *testenv.ISP
	pool     *pool.Pool
	relay    *relay.Server
	listener net.Listener
	// client reaches the relay, tls is what its clients trust.
	client *upstream.Dialer
	tls    *tls.Config
	tally  *tally

	mu    sync.Mutex
	known []*testenv.Host // the endpoints that the pool has been told of
	own   map[netip.Prefix]blocker.RuleID
}

// vantage makes an ISP and its relay. Without a listener the relay serves
// clients within the world only.
func (r *run) vantage(plan ISPPlan, l net.Listener) (*vantage, error) {
	v := &vantage{plan: plan, listener: l, own: make(map[netip.Prefix]blocker.RuleID), tally: newTally()}
	v.isp = r.world.ISP(plan.Name, testenv.ISPConfig{
		Latency: plan.Latency, Lag: r.lag(plan), Users: int(plan.Users * 1e6),
	})
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
	v.pool, err = pool.New(pool.Config{Seed: seed, Prober: &probe.Prober{Upstream: dialer}, Logger: r.log})
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

// lag is how late an ISP applies the list, in the run's time.
func (r *run) lag(plan ISPPlan) time.Duration {
	return time.Duration(plan.Lag * float64(r.length))
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

// covered is which of the known endpoints are under a rule.
func (v *vantage) covered() map[netip.Addr]bool {
	rules, now := v.isp.Rules(), time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	under := make(map[netip.Addr]bool)
	for _, h := range v.known {
		if rules.Covers(h.Addr(), now) {
			under[h.Addr()] = true
		}
	}
	return under
}

// weigh notes whether any known endpoint is free of rules at this moment.
func (v *vantage) weigh(now time.Time) {
	rules := v.isp.Rules()
	v.mu.Lock()
	free := 0
	for _, h := range v.known {
		if !rules.Covers(h.Addr(), now) {
			free++
		}
	}
	v.mu.Unlock()
	v.tally.reachable(now, free > 0)
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
