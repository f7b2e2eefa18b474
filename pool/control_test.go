package pool_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// beacon is a control that answers after one round trip, or does not.
type beacon struct {
	mu    sync.Mutex
	dark  bool
	asked []time.Time
}

func (b *beacon) Reach(ctx context.Context) error {
	b.mu.Lock()
	dark := b.dark
	b.asked = append(b.asked, time.Now())
	b.mu.Unlock()
	timer := time.NewTimer(roundTrip)
	defer timer.Stop()
	if dark {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *beacon) since(at time.Time) []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, _ := slices.BinarySearchFunc(b.asked, at, time.Time.Compare)
	return slices.Clone(b.asked[i:])
}

// darken silences all that are active and the first of the reserve, and has a
// client notice. It returns the names of the active ones.
func darken(p *pool.Pool, f *fake, reserve int) (lost []string) {
	for _, r := range p.InState(policy.Active) {
		f.set(r.Name, policy.Silent, policy.None)
		lost = append(lost, r.Name)
	}
	for _, r := range p.InState(policy.Reserve)[:reserve] {
		f.set(r.Name, policy.Silent, policy.None)
	}
	for _, name := range lost {
		see(p.Endpoint(name), policy.Connect, policy.Overdue)
	}
	return lost
}

func kinds(t *testing.T, w *pool.Watch) map[pool.EventKind]int {
	t.Helper()
	n := make(map[pool.EventKind]int)
	for {
		ev, err := w.Next(closed(t))
		if err != nil {
			return n
		}
		n[ev.Kind]++
	}
}

// One of two controls answers while every endpoint in use is silent: the reserve
// serves as soon as the silence has lasted, and the silent are judged by it.
func TestControlAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, light, dark := new(fake), new(beacon), &beacon{dark: true}
		p := running(t, pool.Config{Prober: f, Controls: []pool.Control{dark, light}}, 24)
		pass(10 * time.Minute)
		if n := len(light.since(time.Time{})); n > 0 {
			t.Fatalf("a control was asked %d times, while all was well", n)
		}
		w := p.Watch()
		defer w.Close()
		at := time.Now()
		lost := darken(p, f, 3)
		pass(1300 * time.Millisecond)
		if n := len(p.InState(policy.Active)); n != 8 {
			t.Errorf("want 8 of the reserve active, got %d", n)
		}
		pass(1200 * time.Millisecond)
		for _, name := range lost {
			if s := p.Endpoint(name).State(); s != policy.Dead {
				t.Errorf("%s: want dead, got %s", name, s)
			}
		}
		if n := kinds(t, w); n[pool.Canary] > 0 || n[pool.OutageBegan] > 0 {
			t.Errorf("want no canaries and no outage, got %v", n)
		}
		for _, b := range []*beacon{light, dark} {
			if asked := b.since(at); len(asked) == 0 || len(asked) > 3 || asked[0].After(at.Add(100*time.Millisecond)) {
				t.Errorf("want every control asked at once, and seldom; got %v after %s", asked, at)
			}
		}
	})
}

// With every control silent as well it is an outage like any other.
func TestControlsAreSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, dark := new(fake), &beacon{dark: true}
		p := running(t, pool.Config{Prober: f, Controls: []pool.Control{dark}}, 16)
		w := p.Watch()
		defer w.Close()
		at := time.Now()
		darken(p, f, 8)
		pass(20 * time.Second)
		if n := kinds(t, w); n[pool.Canary] < 3 || n[pool.Canary] > 4 || n[pool.OutageBegan] != 1 {
			t.Errorf("want 3 or 4 canaries and one outage, got %v", n)
		}
		if dead := p.InState(policy.Dead); len(dead) > 0 {
			t.Errorf("%d are dead", len(dead))
		}
		asked := dark.since(at)
		for n := 1; n < len(asked); n++ {
			if pause := asked[n].Sub(asked[n-1]); pause > 0 && pause < time.Second {
				t.Errorf("the control is asked again after %s", pause)
			}
		}
		dark.mu.Lock()
		dark.dark = false
		dark.mu.Unlock()
		for i := range 16 {
			f.set(spec(i).Name(), policy.Answered, policy.Answered)
		}
		pass(5 * time.Second)
		if p.Outage() || len(p.InState(policy.Active)) != 8 || len(p.InState(policy.Dead)) != 0 {
			t.Errorf("outage %t, %d active, %d dead", p.Outage(), len(p.InState(policy.Active)), len(p.InState(policy.Dead)))
		}
	})
}

// An answer that comes after the kernel has repeated the question does not show
// that the network worked when it was asked.
func TestLateControlIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		late := pool.ControlFunc(func(ctx context.Context) error {
			select {
			case <-time.After(time.Second + roundTrip):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		p := running(t, pool.Config{Prober: f, Controls: []pool.Control{late}}, 8)
		darken(p, f, 0)
		pass(20 * time.Second)
		if dead := p.InState(policy.Dead); len(dead) > 0 || !p.Outage() {
			t.Errorf("%d are dead, outage %t", len(dead), p.Outage())
		}
	})
}

// Run ends while a control is being asked.
func TestRunEndsWhileAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := running(t, pool.Config{Prober: f, Controls: []pool.Control{&beacon{dark: true}}}, 8)
		darken(p, f, 0)
		pass(100 * time.Millisecond)
	})
}

func TestNilControl(t *testing.T) {
	if _, err := pool.New(pool.Config{Controls: []pool.Control{nil}}); err == nil {
		t.Error("want an error for a control that is nil")
	}
	if err := pool.ControlFunc(func(context.Context) error { return errors.ErrUnsupported }).Reach(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("want what the function returns, got %v", err)
	}
}
