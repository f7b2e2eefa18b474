package pool

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// While a table is being written to, for however long that takes, leases and
// reports go on; what was reported is judged and stored afterwards.
func TestNothingWaitsForTheStore(t *testing.T) {
	p, err := New(Config{Active: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if err := p.Add(policy.Spec{Host: fmt.Sprintf("192.0.2.%d", i+1), Port: 1080}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	changed := p.Changed()
	running.Go(func() { _ = p.Run(ctx) })
	<-changed
	changed = p.Changed()

	p.writes.Lock()
	l := p.Lease("a")
	e := l.Next()
	for range 2 * inboxSize {
		now := time.Now()
		e.Report(policy.Evidence{Phase: policy.Connect, Outcome: policy.Silent, Asked: now, At: now})
		if l := p.Lease("b"); l.Next() == nil {
			t.Fatal("nothing is offered")
		}
		if p.Outage() || p.Endpoint(e.Name()) != e {
			t.Fatal("the pool is to be read as well")
		}
	}
	if rows := p.InState(policy.Suspect); len(rows) > 0 {
		t.Errorf("%s was stored by nobody", rows[0].Name)
	}
	p.writes.Unlock()

	<-changed
	if rows := p.InState(policy.Suspect); len(rows) != 1 || rows[0].Name != e.Name() {
		t.Errorf("want %s in doubt in the table, got %d rows", e.Name(), len(rows))
	}
}

// Adding many endpoints at once is one step for the choice of those that are to
// serve: they come from all of them, however many rows there are to be written.
func TestAddIsOneStep(t *testing.T) {
	p, err := New(Config{Active: 8})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	changed := p.Changed()
	running.Go(func() { _ = p.Run(ctx) })
	var specs []policy.Spec
	for i := range 8 * batch {
		provider := fmt.Sprint(i / batch) // sorted, as lists often are
		specs = append(specs, policy.Spec{Host: fmt.Sprintf("host-%d.example", i), Port: 1080, Provider: provider})
	}
	if err := p.Add(specs...); err != nil {
		t.Fatal(err)
	}
	<-changed
	providers := make(map[string]bool)
	for _, e := range p.view.Load().holders {
		if e != nil {
			providers[e.spec.Provider] = true
		}
	}
	if len(providers) != 8 {
		t.Errorf("want 8 providers in 8 slots, got %d", len(providers))
	}
	if n := len(p.Endpoints()); n != len(specs) {
		t.Errorf("want %d rows, got %d", len(specs), n)
	}
}
