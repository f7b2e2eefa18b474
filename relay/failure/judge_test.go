package failure_test

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// usual is the longest time to the first byte in the warm phase's second half,
// but no less than what it is over a new connection, for that is what a request
// takes whose endpoint has no warm one to spare.
func (a *arena) usual() time.Duration {
	longest := 4 * a.farthest
	for _, r := range a.since(a.began.Add(warm / 2)) {
		if r.start.Before(a.began.Add(warm - patience/2)) {
			longest = max(longest, r.counts())
		}
	}
	return longest
}

func (a *arena) noneFails() {
	a.t.Helper()
	failed := 0
	all := a.since(a.began)
	for _, r := range all {
		if r.err != nil {
			if failed++; failed <= 5 {
				a.t.Errorf("request at %v failed: %v", r.start.Sub(a.began), r.err)
			}
		}
	}
	if failed > 0 {
		a.t.Errorf("%d of %d requests failed", failed, len(all))
	}
	if len(all) < 100 {
		a.t.Errorf("only %d requests: no load", len(all))
	}
}

// paysAtMost fails if a request started in [from, to) took more than extra
// beyond the usual time.
func (a *arena) paysAtMost(extra time.Duration, from, to time.Time) {
	a.t.Helper()
	a.paysAtMostBut(extra, from, to, nil)
}

// paysAtMostBut leaves out the requests that were under way at one of the given
// moments, at which an endpoint was lost.
func (a *arena) paysAtMostBut(extra time.Duration, from, to time.Time, losses []time.Time) {
	a.t.Helper()
	usual := a.usual()
	extra += worldtest.Tolerance()
	if a.lossy {
		// A packet that gets lost at random costs a request a retransmission
		// timeout besides, which is not the blocker's doing: 1 s for a SYN. Of some
		// eight packets two get lost once in some hundred requests.
		extra += time.Second
	}
	all, late := 0, 0
	for _, r := range a.since(from) {
		if slices.ContainsFunc(losses, func(at time.Time) bool { return r.start.Before(at) && r.start.Add(usual).After(at) }) {
			continue
		}
		if !r.start.Before(to) || r.err != nil {
			continue
		}
		all++
		more := r.counts() - usual
		if a.lossy && more > extra && more <= extra+lossy {
			late++ // it has lost two packets
			continue
		}
		if more > extra {
			a.t.Errorf("request at %v took %v, %v more than the usual %v; want at most %v more",
				r.start.Sub(a.began), r.took, more, usual, extra)
		}
	}
	if late*200 > all {
		a.t.Errorf("%d of %d requests took more than %v longer than usual; want one in 200", late, all, extra)
	}
}

const (
	// lossy is what a second lost packet may cost a request.
	lossy = 2 * time.Second
	// cutAfter is the longest from a stream's first dropped packet to its cut.
	cutAfter = 3 * time.Second
	// cutFrozen is that where packets still pass: enough flows have to be seen to
	// stop for good.
	cutFrozen = 5 * time.Second
)

// cutsOnly fails unless each stream through a lost endpoint was cut within the
// given time of its first dropped packet, and no other stream was.
func (a *arena) cutsOnly(lost map[netip.Addr]time.Time, within time.Duration) {
	a.t.Helper()
	within += worldtest.Tolerance()
	hit := 0
	for n, s := range a.longs() {
		s.mu.Lock()
		since, gone := lost[s.via]
		switch {
		case gone && s.ended.IsZero():
			a.t.Errorf("stream %d via %s was not cut", n, s.via)
		case gone && worldtest.Took(since, s.ended) > within:
			a.t.Errorf("stream %d via %s was cut %v after the first dropped packet, want at most %v", n, s.via, s.ended.Sub(since), within)
		case gone && errors.Is(s.err, io.EOF):
			a.t.Errorf("stream %d via %s ended with a clean FIN", n, s.via)
		case !gone && !s.ended.IsZero():
			a.t.Errorf("stream %d via healthy %s ended after %v: %v", n, s.via, s.ended.Sub(a.began), s.err)
		}
		if gone {
			hit++
		}
		s.mu.Unlock()
	}
	if len(lost) > 0 && hit == 0 {
		a.t.Errorf("no stream ran through a lost endpoint: the test shows nothing")
	}
}

// log prints the pool's events, when a test fails.
func (a *arena) log() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.t.Failed() {
		return
	}
	for _, ev := range a.events {
		a.t.Logf("%8v %s", ev.At.Sub(a.began).Round(time.Millisecond), ev)
	}
	a.t.Logf("stats: %+v", a.server.Stats())
}

// against is a rule for the endpoint's address.
func against(do blocker.Action, hosts ...*testenv.Host) blocker.Rule {
	r := blocker.Rule{Do: do}
	for _, h := range hosts {
		r.When.Prefixes = append(r.When.Prefixes, netip.PrefixFrom(h.Addr(), h.Addr().BitLen()))
	}
	return r
}

// victim is an active endpoint that carries at least one long stream.
func (a *arena) victim() *testenv.Host {
	for _, h := range a.active() {
		for _, s := range a.longs() {
			s.mu.Lock()
			on := s.via == h.Addr() && s.ended.IsZero()
			s.mu.Unlock()
			if on {
				return h
			}
		}
	}
	a.t.Fatal("no active endpoint carries a long stream")
	return nil
}

// firstDrops is when the first packet of each of the hosts was dropped.
func (a *arena) firstDrops(hosts ...*testenv.Host) map[netip.Addr]time.Time {
	lost := make(map[netip.Addr]time.Time)
	for _, p := range a.world.Ledger().Paths {
		if !p.FirstDropped.IsZero() {
			lost[p.Server.Addr()] = p.FirstDropped
		}
	}
	for _, h := range hosts {
		if lost[h.Addr()].IsZero() {
			a.t.Errorf("the ledger knows of no packet dropped for %s", h.Addr())
		}
	}
	return lost
}

func (a *arena) isDead(h *testenv.Host) {
	a.t.Helper()
	if s := a.pool.Endpoint(h.Spec().Name()).State(); s != policy.Dead && s != policy.Probation {
		a.t.Errorf("%s is %s, want dead", h.Addr(), s)
	}
}

// deadAre fails unless exactly the given hosts are dead.
func (a *arena) deadAre(hosts ...*testenv.Host) {
	a.t.Helper()
	for _, h := range hosts {
		a.isDead(h)
	}
	if n := a.inState(policy.Dead) + a.inState(policy.Probation); n != len(hosts) {
		a.t.Errorf("%d endpoints are dead, want %d", n, len(hosts))
	}
}

// neverDirect fails if the relay or a probe ever dialled anything but an
// endpoint.
func (a *arena) neverDirect() {
	a.t.Helper()
	known := make(map[string]bool)
	for _, h := range a.endpoints {
		known[h.Spec().Address()] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.dials {
		if !known[d.to] {
			a.t.Errorf("%s dialled %s, which is no endpoint", d.by, d.to)
		}
	}
	if n := len(a.world.Ledger().Directs); n != 0 {
		a.t.Errorf("%d dials went to destinations directly", n)
	}
}

// judged fails unless h was condemned once, with verdict v.
func (a *arena) judged(h *testenv.Host, v policy.Verdict) {
	a.t.Helper()
	n := 0
	for _, ev := range a.eventsCopy() {
		if ev.Kind == pool.Changed && ev.To == policy.Dead && ev.Endpoint.Name() == h.Spec().Name() {
			if n++; ev.Verdict != v {
				a.t.Errorf("verdict %s (%s), want %s", ev.Verdict, ev.Text, v)
			}
		}
	}
	if n != 1 {
		a.t.Errorf("condemned %d times, want once", n)
	}
}

func (a *arena) dialsTo(h *testenv.Host) (ds []dial) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.dials {
		if d.to == h.Spec().Address() {
			ds = append(ds, d)
		}
	}
	return ds
}

func (a *arena) eventsCopy() []pool.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]pool.Event(nil), a.events...)
}

// marksNothing fails if any endpoint was ever condemned, or any stream cut.
func (a *arena) marksNothing() {
	a.t.Helper()
	for _, ev := range a.eventsCopy() {
		if ev.Kind == pool.Changed && ev.To == policy.Dead {
			a.t.Errorf("%v: %s", ev.At.Sub(a.began), ev)
		}
	}
	a.cutsOnly(nil, cutAfter)
}

// carries is how many streams are open through the endpoint.
func (a *arena) carries(h *testenv.Host) int64 {
	return a.pool.Endpoint(h.Spec().Name()).Streams().Load()
}
