package pool_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

func TestConfigValidate(t *testing.T) {
	for _, c := range []pool.Config{{Active: -1}, {Active: 257}, {RotateEvery: -1}, {Limits: policy.Limits{Canaries: -1}}} {
		if _, err := pool.New(c); err == nil {
			t.Errorf("%+v: want an error", c)
		}
	}
}

func TestAdd(t *testing.T) {
	p, err := pool.New(pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Add(spec(2), spec(0), spec(2), spec(1), spec(0))
	if !errors.Is(err, pool.ErrDuplicate) {
		t.Errorf("want %v, got %v", pool.ErrDuplicate, err)
	}
	var names []string
	for _, r := range p.Endpoints() {
		names = append(names, r.Name)
		if r.State != policy.Reserve || r.Slot != -1 || r.Exposed {
			t.Errorf("%+v: want a fresh reserve", *r)
		}
	}
	if len(names) != 3 || !slices.IsSorted(names) {
		t.Errorf("want 3 names, sorted, got %q", names)
	}
	if e := p.Endpoint(spec(1).Name()); e == nil || e.Spec() != spec(1) {
		t.Errorf("want the endpoint, got %v", e)
	}
	if p.Endpoint("elsewhere:1") != nil || p.Retire("elsewhere:1") {
		t.Error("an endpoint that is not there")
	}
}

// An examination of a doubtful endpoint and those of its controls begin at the
// same instant.
func TestExaminationBundle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := running(t, pool.Config{Prober: f}, 16)
		e := p.Endpoint(first(p, "a"))
		f.set(e.Name(), policy.Silent, policy.None)
		at := time.Now()
		see(e, policy.Connect, policy.Overdue)
		pass(10 * time.Millisecond)
		looks := f.since(at)
		if len(looks) != 3 {
			t.Fatalf("want one examination and two controls, got %v", looks)
		}
		prefixes := make(map[any]bool)
		for _, l := range looks {
			if !l.at.Equal(at) || l.depth != policy.Greet {
				t.Errorf("%s: want a greeting at once, got %s after %s", l.name, l.depth, l.at.Sub(at))
			}
			prefixes[policy.Neighbourhood(p.Endpoint(l.name).Spec().Addr)] = true
		}
		if len(prefixes) < 2 {
			t.Error("want controls in other prefixes")
		}
		pass(silence)
		if s := e.State(); s != policy.Dead {
			t.Errorf("after the probe's silence: want dead, got %s", s)
		}
	})
}

// A prober that has nothing to say leaves no endpoint unexamined for ever.
func TestNothingSeenIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		f.set(spec(0).Name(), policy.None, policy.None)
		running(t, pool.Config{Prober: f}, 1)
		at := time.Now()
		pass(5 * time.Minute)
		if n := len(f.since(at)); n < 3 {
			t.Errorf("%d examinations in 5 minutes", n)
		}
	})
}

// Run ends when its examinations have ended, and not before.
func TestRunWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{linger: 3 * time.Second}
		p, err := pool.New(pool.Config{Prober: f})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Add(specs(8)...); err != nil {
			t.Fatal(err)
		}
		w := p.Watch()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(roundTrip, cancel) // in the midst of the first examinations
		began := time.Now()
		if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("want %v, got %v", context.Canceled, err)
		}
		if took := time.Since(began); took != roundTrip+f.linger {
			t.Errorf("want Run to end after %s, got %s", roundTrip+f.linger, took)
		}
		if f.running != 0 || len(f.since(began)) != 8 {
			t.Errorf("%d of %d examinations are running", f.running, len(f.looks))
		}
		for _, r := range p.InState(policy.Active) {
			if r.Verdict != policy.Unknown {
				t.Errorf("%s is %s by an examination that was cancelled", r.Name, r.Verdict)
			}
		}
		for range 8 {
			if ev, err := w.Next(t.Context()); err != nil || ev.To != policy.Active {
				t.Errorf("want what came before the end, got %v, %v", ev, err)
			}
		}
		for _, w := range []*pool.Watch{w, p.Watch()} {
			if _, err := w.Next(t.Context()); !errors.Is(err, pool.ErrWatchClosed) {
				t.Errorf("after the end: want %v, got %v", pool.ErrWatchClosed, err)
			}
			w.Close()
		}
	})
}

func TestChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, pool.Config{Prober: new(fake)}, 16)
		changed := p.Changed()
		pass(time.Minute)
		select {
		case <-changed:
			t.Fatal("nothing has changed")
		default:
		}
		e := p.Endpoint(first(p, "a"))
		at := time.Now()
		see(e, policy.Connect, policy.Reset)
		<-changed
		if s := e.State(); s != policy.Suspect || !time.Now().Equal(at) {
			t.Errorf("want a suspect at once, got %s after %s", s, time.Since(at))
		}
		if rows := p.InState(policy.Suspect); len(rows) != 1 || rows[0].Name != e.Name() {
			t.Errorf("want it in the table as well, got %d rows", len(rows))
		}
		if p.Changed() == changed {
			t.Error("want a fresh channel")
		}
	})
}

// Endpoints that are added or retired take effect at once, and only so many
// serve as are wanted.
func TestAddAndRetireWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := running(t, pool.Config{Active: 2, Prober: new(fake)}, 1)
		if err := p.Add(spec(1), spec(2)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(p.InState(policy.Active)); n != 2 {
			t.Errorf("want 2 active at once, got %d", n)
		}
		name := p.InState(policy.Active)[0].Name
		if !p.Retire(name) {
			t.Error("it was there")
		}
		synctest.Wait()
		if len(p.InState(policy.Active)) != 2 || len(p.InState(policy.Retired)) != 1 || p.Endpoint(name).State() != policy.Retired {
			t.Errorf("want it retired and its slot taken")
		}
		l := p.Lease("a")
		for e := l.Next(); e != nil; e = l.Next() {
			if e.Name() == name {
				t.Error("a retired endpoint is offered")
			}
		}
	})
}

// What was retired can be added again: it has a fresh handle, and the old one
// stays retired and is not heard any more.
func TestAddAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := running(t, pool.Config{Active: 1, Prober: f}, 2)
		w := p.Watch()
		defer w.Close()
		old := p.Endpoint(p.InState(policy.Active)[0].Name)
		name := old.Name()
		again := old.Spec()
		again.User, again.Password = "u", "changed"
		if err := p.Add(again); !errors.Is(err, pool.ErrDuplicate) {
			t.Errorf("while it is there: want %v, got %v", pool.ErrDuplicate, err)
		}
		p.Retire(name)
		if err := p.Add(again); err != nil { // before Run has looked
			t.Fatal(err)
		}
		if s := old.State(); s != policy.Retired {
			t.Errorf("the old handle is %s", s)
		}
		synctest.Wait()
		fresh := p.Endpoint(name)
		if fresh == old || fresh.Spec() != again {
			t.Errorf("want a fresh handle with what is known now, got %+v", fresh.Spec())
		}
		if rows := p.Endpoints(); len(rows) != 2 {
			t.Errorf("want 2 rows, got %d", len(rows))
		}
		for _, r := range p.Endpoints() {
			if r.Name == name && (!r.Exposed || r.Spec != again) {
				t.Errorf("want it remembered that it was exposed, with its new password, got %+v", *r)
			}
		}
		for _, want := range []struct {
			e  *pool.Endpoint
			to policy.State
		}{{old, policy.Retired}, {fresh, policy.Reserve}} {
			ev, err := w.Next(closed(t))
			if err != nil || ev.Endpoint != want.e || ev.To != want.to {
				t.Errorf("want %s to be %s, got %v, %v", name, want.to, ev, err)
			}
		}
		if err := p.Add(again); !errors.Is(err, pool.ErrDuplicate) {
			t.Errorf("once it is back: want %v, got %v", pool.ErrDuplicate, err)
		}

		for _, r := range p.InState(policy.Active) {
			if r.Name != name {
				p.Retire(r.Name)
			}
		}
		synctest.Wait()
		if s := fresh.State(); s != policy.Active || first(p, "a") != name {
			t.Fatalf("want it in use again, got %s", s)
		}
		pass(time.Second)
		at := time.Now()
		see(old, policy.Greeting, policy.Reset)
		pass(time.Second)
		if n := len(f.since(at)); n > 0 || fresh.State() != policy.Active {
			t.Errorf("the old handle is heard: %d examinations, it is %s", n, fresh.State())
		}
		see(fresh, policy.Greeting, policy.Reset)
		synctest.Wait()
		if s := fresh.State(); s != policy.Suspect {
			t.Errorf("want the fresh one heard, got %s", s)
		}
	})
}

// A whole outage, seen from outside: nobody is dead, and all serve at the end.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		p := running(t, pool.Config{Prober: f}, 16)
		w := p.Watch()
		defer w.Close()
		for i := range 16 {
			f.set(spec(i).Name(), policy.Silent, policy.None)
		}
		for _, r := range p.InState(policy.Active) {
			see(p.Endpoint(r.Name), policy.Connect, policy.Overdue)
		}
		pass(20 * time.Second)
		if !p.Outage() {
			t.Error("no outage")
		}
		for i := range 16 {
			f.set(spec(i).Name(), policy.Answered, policy.Answered)
		}
		pass(5 * time.Second)
		if p.Outage() || len(p.InState(policy.Active)) != 8 || len(p.InState(policy.Dead)) != 0 {
			t.Errorf("outage %t, %d active, %d dead", p.Outage(), len(p.InState(policy.Active)), len(p.InState(policy.Dead)))
		}
		kinds := make(map[pool.EventKind]int)
		for {
			ev, err := w.Next(closed(t))
			if err != nil {
				break
			}
			kinds[ev.Kind]++
			if ev.String() == "" {
				t.Errorf("%+v says nothing", ev)
			}
		}
		if n := kinds[pool.Canary]; n < 3 || n > 6 || kinds[pool.OutageBegan] != 1 || kinds[pool.OutageEnded] != 1 {
			t.Errorf("want 3 to 6 canaries and one outage, got %v", kinds)
		}
	})
}

// An answer to the very first question, asked when the pool was made, counts.
func TestAnswerAtBirth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		born := time.Now()
		p := running(t, pool.Config{}, 1)
		e := p.Endpoint(spec(0).Name())
		e.Report(policy.Evidence{Phase: policy.Connect, Outcome: policy.Silent, Asked: born, At: time.Now()})
		synctest.Wait()
		e.Report(policy.Evidence{Phase: policy.Greeting, Outcome: policy.Answered, Asked: born, At: time.Now()})
		synctest.Wait()
		if s := e.State(); s != policy.Active {
			t.Errorf("want it cleared, got %s", s)
		}
	})
}

// A pool at rest costs next to nothing.
func TestIdlePoolRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		running(t, pool.Config{Prober: f}, 200)
		at := time.Now()
		pass(time.Hour)
		if n := len(f.since(at)); n > 8*80 {
			t.Errorf("%d examinations in an idle hour", n)
		}
	})
}

func TestHedgeDelay(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name     string
		connect  time.Duration
		greeting time.Duration
		phase    policy.Phase
		want     time.Duration
	}{
		{"nothing known", 0, 0, policy.Connect, 250 * ms},
		{"near", 10 * ms, 0, policy.Connect, 60 * ms},
		{"near, greeting unknown", 10 * ms, 0, policy.Greeting, 60 * ms},
		{"near, slow greeting", 10 * ms, 100 * ms, policy.Greeting, 150 * ms},
		{"at the bound", 100 * ms, 300 * ms, policy.Greeting, 250 * ms},
		{"far", 200 * ms, 0, policy.Connect, 300 * ms},
		{"far, slow greeting", 200 * ms, 900 * ms, policy.Greeting, 500 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := pool.New(pool.Config{})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Add(spec(0)); err != nil {
				t.Fatal(err)
			}
			e := p.Endpoint(spec(0).Name())
			now := time.Now()
			report := func(p policy.Phase, took time.Duration) {
				if took > 0 {
					e.Report(policy.Evidence{Phase: p, Outcome: policy.Answered, Asked: now.Add(-took), At: now, Took: took})
				}
			}
			for range 40 {
				report(policy.Connect, tt.connect)
				report(policy.Greeting, tt.greeting)
			}
			if tt.connect > 0 {
				report(policy.Connect, time.Second) // one outlier in 32 is none of the 95 %
			}
			if got := e.HedgeDelay(tt.phase); got != tt.want {
				t.Errorf("want %s, got %s", tt.want, got)
			}
			if e.RTT() != tt.connect {
				t.Errorf("RTT: want %s, got %s", tt.connect, e.RTT())
			}
		})
	}
}
