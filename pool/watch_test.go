package pool_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// flap puts an endpoint in doubt and clears it again: two events.
func flap(e *pool.Endpoint) {
	see(e, policy.Connect, policy.Reset)
	synctest.Wait()
	time.Sleep(roundTrip)
	e.Report(policy.Evidence{Phase: policy.Greeting, Outcome: policy.Answered, Asked: time.Now(), At: time.Now()})
	pass(2 * roundTrip)
}

// Events come in order: each endpoint starts where its last event left it, and
// ends where the pool says it is.
func TestWatchOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p, err := pool.New(pool.Config{Prober: f})
		if err != nil {
			t.Fatal(err)
		}
		w := p.Watch()
		defer w.Close()
		if err := p.Add(specs(12)...); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		running.Go(func() { _ = p.Run(ctx) })
		pass(time.Second)
		for i := range 4 {
			flap(p.Endpoint(first(p, "a")))
			f.set(spec(i).Name(), policy.Reset, policy.None)
			see(p.Endpoint(spec(i).Name()), policy.Connect, policy.Reset)
			pass(time.Second)
		}
		states := make(map[*pool.Endpoint]policy.State)
		var at time.Time
		n := 0
		for {
			ev, err := w.Next(closed(t))
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("want ctx's error, got %v", err)
				}
				break
			}
			if ev.At.Before(at) {
				t.Errorf("%s comes after %s", ev.At, at)
			}
			at = ev.At
			if ev.Kind != pool.Changed {
				continue
			}
			if states[ev.Endpoint] != ev.From {
				t.Errorf("%s, but it was %s", ev, states[ev.Endpoint])
			}
			states[ev.Endpoint] = ev.To
			n++
		}
		for _, r := range p.Endpoints() {
			if got := states[p.Endpoint(r.Name)]; got != r.State {
				t.Errorf("%s is %s, the events say %s", r.Name, r.State, got)
			}
		}
		if n < 20 {
			t.Errorf("only %d events", n)
		}
	})
}

// A reader that does not read loses the oldest events, is told how many, and
// holds up nobody.
func TestWatchMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, pool.Config{Active: 1}, 1)
		e := p.Endpoint(spec(0).Name())
		slow, all := p.Watch(), p.Watch()
		defer slow.Close()
		defer all.Close()
		read := 0
		drain := func() {
			for {
				ev, err := all.Next(closed(t))
				if err != nil {
					return
				}
				if ev.Kind == pool.Missed {
					t.Fatalf("the quick reader missed %d", ev.N)
				}
				read++
			}
		}
		for range 2100 {
			flap(e)
			drain()
		}
		ev, err := slow.Next(t.Context())
		if err != nil || ev.Kind != pool.Missed || ev.N != read-4096 {
			t.Fatalf("want %d missed of %d, got %s, %v", read-4096, read, ev, err)
		}
		left := 0
		for {
			if _, err := slow.Next(closed(t)); err != nil {
				break
			}
			left++
		}
		if left != 4096 {
			t.Errorf("want the last 4096, got %d", left)
		}
	})
}

func TestWatchClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, pool.Config{Active: 1}, 1)
		w := p.Watch()
		flap(p.Endpoint(spec(0).Name()))
		w.Close()
		w.Close()
		flap(p.Endpoint(spec(0).Name()))
		for range 2 {
			if ev, err := w.Next(t.Context()); err != nil {
				t.Errorf("want what came before Close, got %v, %v", ev, err)
			}
		}
		for range 2 {
			if _, err := w.Next(t.Context()); !errors.Is(err, pool.ErrWatchClosed) {
				t.Errorf("want %v, got %v", pool.ErrWatchClosed, err)
			}
		}
	})
}

// Several readers of one watch share its events, and all of them are woken by
// its end.
func TestWatchReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, pool.Config{Active: 1}, 1)
		w := p.Watch()
		var readers sync.WaitGroup
		var mu sync.Mutex
		got := 0
		for range 5 {
			readers.Go(func() {
				for {
					_, err := w.Next(t.Context())
					if err != nil {
						if !errors.Is(err, pool.ErrWatchClosed) {
							t.Errorf("want %v, got %v", pool.ErrWatchClosed, err)
						}
						return
					}
					mu.Lock()
					got++
					mu.Unlock()
				}
			})
		}
		for range 50 {
			flap(p.Endpoint(spec(0).Name()))
		}
		w.Close()
		readers.Wait()
		if got != 100 {
			t.Errorf("want 100 events, got %d", got)
		}
	})
}

func TestWatchContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, pool.Config{Active: 1}, 1)
		w := p.Watch()
		defer w.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := w.Next(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 3*time.Second {
			t.Errorf("want ctx's error after 3 s, got %v after %s", err, time.Since(began))
		}
	})
}
