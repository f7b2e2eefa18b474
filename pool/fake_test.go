package pool_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// look is one examination that a fake prober was asked for.
type look struct {
	at    time.Time
	name  string
	depth policy.Depth
}

// fake is a prober whose answers are set per endpoint; by default all is well.
type fake struct {
	mu      sync.Mutex
	answers map[string]policy.Examination
	looks   []look
	running int
	linger  time.Duration // how long a cancelled probe takes to end
	// outside is how endpoints that do not answer fare when others ask for them;
	// those that are not in it are not seen.
	outside map[string]policy.Outcome
}

const (
	roundTrip = 40 * time.Millisecond
	silence   = time.Second
)

func (f *fake) set(name string, greeting, carried policy.Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answers == nil {
		f.answers = make(map[string]policy.Examination)
	}
	f.answers[name] = policy.Examination{Greeting: greeting, Down: policy.Passage{Outcome: carried}}
}

func (f *fake) Probe(ctx context.Context, s policy.Spec, l policy.Look) policy.Examination {
	f.mu.Lock()
	x, ok := f.answers[s.Name()]
	f.looks = append(f.looks, look{time.Now(), s.Name(), l.Depth})
	f.running++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.running--
		f.mu.Unlock()
	}()
	if !ok {
		x = policy.Examination{Greeting: policy.Answered, Down: policy.Passage{Outcome: policy.Answered, Bytes: 64 << 10}}
	}
	if l.Depth == policy.Greet {
		x.Down.Outcome = policy.None
	}
	if x.Greeting == policy.Answered {
		x.RTT = roundTrip
	}
	x.Asked, x.Depth = time.Now(), l.Depth
	took := 2 * roundTrip
	if x.Greeting == policy.Silent || x.Down.Outcome == policy.Stalled {
		took = silence
	}
	if x.Down.Outcome == policy.Stalled {
		x.Down.Flows, x.Down.Stopped = 2, 2
		x.Up = x.Down
	}
	timer := time.NewTimer(took)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		time.Sleep(f.linger)
		x.Greeting, x.Down.Outcome = policy.None, policy.None
	}
	x.At = time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if o, ok := f.outside[s.Name()]; ok && x.Greeting != policy.Answered && x.Greeting != policy.None && len(l.Views) > 0 {
		x.Views = []policy.View{{Through: l.Views[0].Viewer.Name(), Asked: x.Asked, At: x.At, Control: policy.Answered, Suspect: o}}
	}
	return x
}

// look has an endpoint that does not answer be seen from outside.
func (f *fake) look(name string, outside policy.Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.outside == nil {
		f.outside = make(map[string]policy.Outcome)
	}
	f.outside[name] = outside
}

func (f *fake) since(at time.Time) []look {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ls []look
	for _, l := range f.looks {
		if !l.at.Before(at) {
			ls = append(ls, l)
		}
	}
	return ls
}

// spec describes endpoint i of 4 prefixes and 2 providers.
func spec(i int) policy.Spec {
	prefix := []string{"52.58", "52.59", "34.90", "34.91"}[i%4]
	addr := netip.MustParseAddr(fmt.Sprintf("%s.%d.%d", prefix, i/4/250, 1+i/4%250))
	return policy.Spec{Host: addr.String(), Port: 1080, Addr: addr, Provider: []string{"aws", "gcp"}[i%4/2]}
}

func specs(n int) []policy.Spec {
	ss := make([]policy.Spec, n)
	for i := range ss {
		ss[i] = spec(i)
	}
	return ss
}

// running is a pool of n endpoints whose Run is going, in a bubble. It ends with
// the test.
func running(t *testing.T, c pool.Config, n int) *pool.Pool {
	t.Helper()
	return runningWith(t, c, specs(n))
}

// runningWith is running with other endpoints.
func runningWith(t *testing.T, c pool.Config, specs []policy.Spec) *pool.Pool {
	t.Helper()
	p, err := pool.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(specs...); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != context.Canceled { //nolint:errorlint // Run returns ctx's error itself
			t.Errorf("Run: want %v, got %v", context.Canceled, err)
		}
	})
	pass(time.Second)
	return p
}

// pass lets virtual time pass, and all that is to happen in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// see reports evidence that is seen now.
func see(e *pool.Endpoint, phase policy.Phase, outcome policy.Outcome) {
	now := time.Now()
	e.Report(policy.Evidence{Phase: phase, Outcome: outcome, Asked: now.Add(-roundTrip), At: now, Took: roundTrip})
}

// kill makes an endpoint fail, and waits until it is dead.
func kill(t *testing.T, p *pool.Pool, f *fake, name string, greeting, carried policy.Outcome) {
	t.Helper()
	f.set(name, greeting, carried)
	e := p.Endpoint(name)
	switch greeting {
	case policy.Answered:
		see(e, policy.Transfer, policy.Stalled)
	default:
		see(e, policy.Greeting, greeting)
	}
	pass(4 * silence)
	if s := e.State(); s != policy.Dead {
		t.Fatalf("%s: want it dead, got %s", name, s)
	}
}

// first is the name of a client's first choice.
func first(p *pool.Pool, client string) string {
	l := p.Lease(client)
	if e := l.Next(); e != nil {
		return e.Name()
	}
	return ""
}

func clients(n int) []string {
	cs := make([]string, n)
	for i := range cs {
		cs[i] = fmt.Sprintf("client %d", i)
	}
	return cs
}

// homes is the first choice of each client.
func homes(p *pool.Pool, clients []string) map[string]string {
	m := make(map[string]string)
	for _, c := range clients {
		m[c] = first(p, c)
	}
	return m
}
