package pool_test

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// halves is endpoints of two prefixes, as many of either, each in a /24 of its
// own. The first of them are to be active.
func halves(n int) []policy.Spec {
	ss := make([]policy.Spec, n)
	for i := range ss {
		addr := netip.AddrFrom4([4]byte{[]byte{52, 34}[i%2], []byte{58, 90}[i%2], byte(i), 1})
		ss[i] = policy.Spec{Host: addr.String(), Port: 1080, Addr: addr, Provider: []string{"aws", "gcp"}[i%2]}
	}
	return ss
}

var listed = netip.MustParsePrefix("52.58.0.0/16")

// surf lets clients make a request at a time each, with hedges, until the end,
// and returns when and where they dialled within a prefix.
type surf struct {
	mu    sync.Mutex
	dials map[string][]dialled
}

type dialled struct {
	at       time.Time
	endpoint string
}

func (s *surf) note(client string, e *pool.Endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials[client] = append(s.dials[client], dialled{time.Now(), e.Name()})
}

// client begins a request at a time each until the end. Where blocked says so
// there is no answer.
func (s *surf) client(p *pool.Pool, name string, every time.Duration, end time.Time, blocked func(*pool.Endpoint) bool) {
	var requests sync.WaitGroup
	defer requests.Wait()
	for ; time.Now().Before(end); time.Sleep(every) {
		requests.Go(func() { s.request(p, name, blocked) })
	}
}

func (s *surf) request(p *pool.Pool, client string, blocked func(*pool.Endpoint) bool) {
	var dials sync.WaitGroup
	defer dials.Wait()
	l := p.Lease(client)
	for e := l.Next(); e != nil; e = l.Next() {
		s.note(client, e)
		asked := time.Now()
		if !blocked(e) {
			time.Sleep(2 * roundTrip)
			e.Report(policy.Evidence{Phase: policy.Greeting, Outcome: policy.Answered, Asked: asked, At: time.Now(), Took: roundTrip})
			return
		}
		time.Sleep(e.HedgeDelay(policy.Connect))
		e.Report(policy.Evidence{Phase: policy.Connect, Outcome: policy.Overdue, Asked: asked, At: time.Now()})
		dials.Go(func() {
			time.Sleep(3*time.Second - time.Since(asked))
			e.Report(policy.Evidence{Phase: policy.Connect, Outcome: policy.Silent, Asked: asked, At: time.Now()})
		})
	}
}

// amidst are clients whose first choice lies in the prefix, and so do as many as
// possible of the next ones.
func amidst(p *pool.Pool, n int) (names []string) {
	for _, c := range clients(2000) {
		os := offers(p, c)
		in := func(k int) bool { return listed.Contains(netip.MustParseAddrPort(os[k]).Addr()) }
		if in(0) && in(2) && in(3) && in(4) && len(names) < n {
			names = append(names, c)
		}
	}
	return names
}

// A whole /16, with half of the active endpoints, is dropped at once. No client
// dials more than two endpoints in it, and from soon after the second verdict
// on none dials into it, newcomers included, however many clients there are and
// whatever is left in reserve.
func TestPrefixBurns(t *testing.T) {
	// What was asked for is a second; a request that has begun holds on to its
	// lease for a hedge or two.
	const enough = 300 * time.Millisecond
	for _, tt := range []struct {
		name      string
		clients   int
		every     time.Duration
		endpoints int
	}{
		{"many clients", 100, 200 * time.Millisecond, 32},
		{"few clients", 6, 700 * time.Millisecond, 32},
		{"two clients, seldom", 2, 2 * time.Second, 32},
		{"one busy client", 1, 50 * time.Millisecond, 32},
		{"one busy client, no reserve", 1, 50 * time.Millisecond, 16},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := new(fake)
				p := runningWith(t, pool.Config{Active: 16, Prober: f}, halves(tt.endpoints))
				in := 0
				for _, r := range p.InState(policy.Active) {
					if listed.Contains(r.Spec.Addr) {
						in++
					}
				}
				if in != 8 {
					t.Fatalf("%d of 16 are in %s", in, listed)
				}
				s := &surf{dials: make(map[string][]dialled)}
				var block sync.Mutex
				on := false
				blocked := func(e *pool.Endpoint) bool {
					block.Lock()
					defer block.Unlock()
					return on && listed.Contains(e.Spec().Addr)
				}
				end := time.Now().Add(time.Minute)
				var surfing sync.WaitGroup
				for _, c := range amidst(p, tt.clients) {
					surfing.Go(func() { s.client(p, c, tt.every, end, blocked) })
				}
				pass(10 * time.Second)
				w := p.Watch()
				defer w.Close()
				began := time.Now()
				block.Lock()
				on = true
				for _, r := range p.Endpoints() {
					if listed.Contains(r.Spec.Addr) {
						f.set(r.Name, policy.Silent, policy.None)
						f.look(r.Name, policy.Answered)
					}
				}
				block.Unlock()
				var verdicts []time.Time
				for time.Now().Before(end.Add(-time.Second)) {
					pass(100 * time.Millisecond)
					for ev, err := w.Next(closed(t)); err == nil; ev, err = w.Next(closed(t)) {
						if ev.Kind != pool.Changed || ev.To != policy.Dead {
							continue
						}
						if !listed.Contains(ev.Endpoint.Spec().Addr) {
							t.Errorf("condemned without need: %s", ev)
						}
						if verdicts = append(verdicts, ev.At); len(verdicts) == 2 {
							surfing.Go(func() {
								for n := range 300 {
									surfing.Go(func() { s.request(p, fmt.Sprint("newcomer ", n), blocked) })
									time.Sleep(10 * time.Millisecond)
								}
							})
						}
					}
				}
				surfing.Wait()
				if len(verdicts) < 2 {
					t.Fatalf("%d verdicts", len(verdicts))
				}
				t.Logf("verdicts after %s, %s; the last of %d after %s", verdicts[0].Sub(began), verdicts[1].Sub(began),
					len(verdicts), verdicts[len(verdicts)-1].Sub(began))
				for c, ds := range s.dials {
					var into []string
					for _, d := range ds {
						if d.at.Before(began) || !listed.Contains(netip.MustParseAddrPort(d.endpoint).Addr()) {
							continue
						}
						if d.at.After(verdicts[1].Add(enough)) {
							t.Errorf("%s dials %s, %s after the second verdict", c, d.endpoint, d.at.Sub(verdicts[1]))
						}
						if !slices.Contains(into, d.endpoint) {
							into = append(into, d.endpoint)
						}
					}
					if len(into) > 2 {
						t.Errorf("%s dials %d endpoints of the prefix: %q", c, len(into), into)
					}
				}
			})
		})
	}
}

// Two processes die in one /16, of eight that serve there. The others stay in
// use, and in order.
func TestTwoProcessesDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := runningWith(t, pool.Config{Active: 16, Prober: f}, halves(16))
		cs := clients(300)
		var lost []string
		for _, r := range p.Endpoints() {
			if listed.Contains(r.Spec.Addr) && len(lost) < 2 {
				lost = append(lost, r.Name)
			}
		}
		home, before := homes(p, cs), make(map[string][]string)
		others := func(c string) []string {
			return slices.DeleteFunc(offers(p, c), func(n string) bool {
				return slices.Contains(lost, n) || !listed.Contains(netip.MustParseAddrPort(n).Addr())
			})
		}
		for _, c := range cs {
			before[c] = others(c)
		}
		for _, name := range lost {
			f.look(name, policy.Silent)
			kill(t, p, f, name, policy.Reset, policy.None)
		}
		for _, r := range p.InState(policy.Dead) {
			if r.Verdict != policy.Down {
				t.Fatalf("%s: %s", r.Name, r.Verdict)
			}
		}
		for range 30 {
			for _, c := range cs {
				after := others(c)
				if slices.Contains(lost, home[c]) {
					slices.Sort(after) // it had to move
					slices.Sort(before[c])
				}
				if !slices.Equal(after, before[c]) {
					t.Fatalf("%s: %q before, %q after", c, before[c], after)
				}
			}
			pass(time.Second)
		}
		if n := len(p.InState(policy.Active)); n != 14 {
			t.Errorf("%d are active", n)
		}
	})
}

// Two addresses of a /16 are blocked by themselves: the others, which answer, are
// back in their places within seconds, without any change of state.
func TestWellAmongBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := runningWith(t, pool.Config{Active: 16, Prober: f}, halves(16))
		var lost []string
		for _, r := range p.Endpoints() {
			if listed.Contains(r.Spec.Addr) && len(lost) < 2 {
				lost = append(lost, r.Name)
			}
		}
		for _, name := range lost {
			f.look(name, policy.Answered)
			kill(t, p, f, name, policy.Silent, policy.None)
		}
		pass(5 * time.Second)
		in := 0
		for c, e := range homes(p, clients(300)) {
			if e == "" {
				t.Fatalf("%s is offered nothing", c)
			}
			if listed.Contains(netip.MustParseAddrPort(e).Addr()) {
				in++
			}
		}
		if in < 60 { // of 300 clients, 6 of 14 endpoints
			t.Errorf("%d of 300 clients are with the well ones", in)
		}
	})
}

// Suspicion goes by itself, if nothing more is heard of the prefix, and leases
// follow without any change of state.
func TestSuspicionFades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := runningWith(t, pool.Config{Active: 16, Prober: f}, halves(16))
		cs := clients(300)
		within := func() (n int) {
			for _, e := range homes(p, cs) {
				if listed.Contains(netip.MustParseAddrPort(e).Addr()) {
					n++
				}
			}
			return n
		}
		var listedOnes []string
		for _, r := range p.Endpoints() {
			if listed.Contains(r.Spec.Addr) {
				listedOnes = append(listedOnes, r.Name)
				f.set(r.Name, policy.None, policy.None) // nothing can be learned of it
			}
		}
		for _, name := range listedOnes[:2] {
			f.look(name, policy.Answered)
			kill(t, p, f, name, policy.Silent, policy.None)
		}
		if n := within(); n > 0 {
			t.Errorf("%d clients are sent into a burning prefix", n)
		}
		pass(10 * time.Minute)
		if n := within(); n > 0 {
			t.Errorf("%d clients are sent into a burning prefix after 10 min", n)
		}
		changed := p.Changed()
		pass(2 * time.Hour)
		select {
		case <-changed:
		default:
			t.Error("nothing has changed in 2 h")
		}
		if n := within(); n < 60 {
			t.Errorf("%d of 300 clients are back", n)
		}
	})
}
