package pool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// A storm: all of many endpoints are lost, 64 at a time, as they come to serve.
// Everything is told, in order, and stored, and leases never offer what is lost
// while something else is active.
func TestStorm(t *testing.T) {
	const endpoints = 3000
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := running(t, pool.Config{Active: 64, Limits: policy.Limits{RetestMin: time.Hour, RetestMax: time.Hour}, Prober: f}, endpoints)
		w := p.Watch()
		defer w.Close()
		states := make(map[*pool.Endpoint]policy.State)
		for _, r := range p.Endpoints() {
			states[p.Endpoint(r.Name)] = r.State
		}
		// The last may still be under suspicion when nobody is active any more.
		left := func() []*pool.Row { return append(p.InState(policy.Active), p.InState(policy.Suspect)...) }
		for batch := left(); len(batch) > 0; batch = left() {
			for n, r := range batch {
				if n%2 == 0 {
					p.Retire(r.Name)
				} else {
					f.set(r.Name, policy.Reset, policy.None)
					condemn(p.Endpoint(r.Name))
				}
			}
			synctest.Wait()
			l := p.Lease("a")
			if e := l.Next(); e != nil && e.State() != policy.Active && len(p.InState(policy.Active)) > 0 {
				t.Fatalf("%s is offered, which is %s", e.Name(), e.State())
			}
			pass(4 * roundTrip)
			for {
				ev, err := w.Next(closed(t))
				if err != nil {
					break
				}
				if ev.Kind == pool.Missed {
					t.Fatalf("%d events are missed", ev.N)
				}
				if ev.Kind != pool.Changed {
					continue
				}
				if states[ev.Endpoint] != ev.From {
					t.Fatalf("%s, but it was %s", ev, states[ev.Endpoint])
				}
				states[ev.Endpoint] = ev.To
			}
		}
		count := make(map[policy.State]int)
		for _, r := range p.Endpoints() {
			e := p.Endpoint(r.Name)
			if states[e] != r.State || e.State() != r.State {
				t.Errorf("%s: the row says %s, the handle %s, the events %s", r.Name, r.State, e.State(), states[e])
			}
			count[r.State]++
		}
		if count[policy.Retired] < endpoints/3 || count[policy.Retired]+count[policy.Dead] != endpoints {
			t.Errorf("want all lost, got %v", count)
		}
	})
}

// condemn has an endpoint reset two greetings in a row.
func condemn(e *pool.Endpoint) {
	now := time.Now()
	for range 2 {
		e.Report(policy.Evidence{Phase: policy.Greeting, Outcome: policy.Reset, Asked: now, At: now})
	}
}

// All of many endpoints change at once. Those who watch and keep up are told of
// each, those who do not are told how many they have missed.
func TestAllAtOnce(t *testing.T) {
	const endpoints = 10_000
	p := live(t, 64, endpoints)
	w := p.Watch()
	defer w.Close()
	var changing sync.WaitGroup
	changing.Go(func() {
		for i := range endpoints {
			p.Retire(spec(i).Name())
		}
	})
	told := make(map[*pool.Endpoint]bool)
	retired, missed := 0, 0
	for retired+missed < endpoints {
		ev, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case ev.Kind == pool.Missed:
			missed += ev.N
		case ev.To == policy.Retired:
			if told[ev.Endpoint] {
				t.Errorf("%s is told twice", ev)
			}
			told[ev.Endpoint] = true
			retired++
		}
	}
	changing.Wait()
	for len(p.InState(policy.Retired)) < endpoints {
		select {
		case <-p.Changed():
		case <-time.After(time.Second):
		}
	}
	l := p.Lease("a")
	if e := l.Next(); e != nil {
		t.Errorf("%s is offered, and all are gone", e.Name())
	}
}

// Neither a lease nor a report waits for the pool: here its loop is held up for
// good by whoever writes its log, in the middle of a step.
func TestNothingWaitsForTheLoop(t *testing.T) {
	hold := &holdup{entered: make(chan struct{}), release: make(chan struct{})}
	p, err := pool.New(pool.Config{Active: 8, Logger: hold.logger()})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(specs(100)...); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = p.Run(ctx) })
	<-hold.entered
	l := p.Lease("a")
	e := l.Next()
	if e == nil {
		t.Fatal("the view is published before the log is written, and nothing is offered")
	}
	w := p.Watch()
	defer w.Close()
	for range 40_000 { // more than wait in the queue
		l := p.Lease("b")
		if l.Next() == nil {
			t.Fatal("nothing is offered")
		}
		see(e, policy.Connect, policy.Overdue)
	}
	if s := e.State(); s != policy.Active {
		t.Errorf("nobody can have judged, and it is %s", s)
	}
	close(hold.release)
	for { // what was reported meanwhile is not lost
		ev, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ev.Endpoint == e && ev.To == policy.Suspect {
			break
		}
	}
	cancel()
	running.Wait()
}

// BenchmarkStorm changes the state of all endpoints within a second, while 1,000
// requests a second each take a lease, report trouble and measure how long that
// has taken them.
func BenchmarkStorm(b *testing.B) {
	for _, endpoints := range []int{100, 10_000, 100_000} {
		for _, storm := range []bool{false, true} {
			b.Run(fmt.Sprintf("endpoints=%d/storm=%t", endpoints, storm), func(b *testing.B) {
				var took []time.Duration
				for b.Loop() {
					b.StopTimer()
					p := live(b, 64, endpoints)
					b.StartTimer()
					took = append(took, second(p, endpoints, storm)...)
				}
				slices.Sort(took)
				b.ReportMetric(took[len(took)/2].Seconds()*1e6, "p50-us")
				b.ReportMetric(took[len(took)*99/100].Seconds()*1e6, "p99-us")
				b.ReportMetric(took[len(took)-1].Seconds()*1e3, "max-ms")
			})
		}
	}
}

// second lets a second pass, with requests, and with a storm if that is wanted:
// half of the endpoints are condemned when they serve, all others are removed.
func second(p *pool.Pool, endpoints int, storm bool) []time.Duration {
	var working sync.WaitGroup
	defer working.Wait()
	if storm {
		working.Go(func() {
			began := time.Now()
			for i := 0; i < endpoints; {
				for due := int(time.Since(began).Seconds() * float64(endpoints)); i < min(due, endpoints); i++ {
					e := p.Endpoint(spec(i).Name())
					if e.State() == policy.Active {
						condemn(e)
					} else {
						p.Retire(e.Name())
					}
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	cs := clients(10_000)
	took := make([]time.Duration, 0, 1000)
	for range cap(took) {
		began := time.Now()
		l := p.Lease(cs[rand.IntN(len(cs))])
		e := l.Next()
		l.Next()
		if e != nil {
			e.Report(policy.Evidence{Phase: policy.Connect, Outcome: policy.Overdue, Asked: began, At: began})
			e.Report(policy.Evidence{Phase: policy.Greeting, Outcome: policy.Answered, Asked: began, At: began.Add(1), Took: roundTrip})
		}
		took = append(took, time.Since(began))
		time.Sleep(time.Millisecond - time.Since(began))
	}
	return took
}
