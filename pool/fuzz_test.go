package pool_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// FuzzPool holds a pool against a plain map, which knows whom there is, and in
// which state by what the events told.
func FuzzPool(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 0, 1, 0, 2, 1, 1, 2, 2, 9, 3, 200})
	f.Add(uint64(2), []byte{0, 7, 0, 8, 0, 9, 4, 7, 1, 3, 250, 4, 7, 0, 3, 250, 1, 7})
	r := rand.New(rand.NewPCG(3, 4))
	for seed := range uint64(15) {
		script := make([]byte, 1+r.IntN(150))
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		f.Add(seed, script)
	}
	f.Fuzz(func(t *testing.T, seed uint64, script []byte) {
		synctest.Test(t, func(t *testing.T) {
			play(t, seed, script[:min(len(script), 150)])
		})
	})
}

func play(t *testing.T, seed uint64, script []byte) {
	next := func() int {
		if len(script) == 0 {
			return 0
		}
		b := script[0]
		script = script[1:]
		return int(b)
	}
	prober := new(fake)
	active := 1 + next()%6
	p := running(t, pool.Config{Active: active, Prober: prober, Seed: seed}, 0)
	w := p.Watch()
	defer w.Close()
	model := make(map[string]policy.State)
	retired, exposed := make(map[string]bool), make(map[string]bool)
	for len(script) > 0 {
		op, i := next(), next()%24
		s := spec(i)
		name := s.Name()
		_, known := model[name]
		switch op % 6 {
		case 0:
			err := p.Add(s)
			there := known && !retired[name]
			if there != errors.Is(err, pool.ErrDuplicate) || !there && err != nil {
				t.Errorf("adding %s, there %t: %v", name, there, err)
			}
			if !known {
				model[name] = policy.Reserve
			}
			retired[name] = false
		case 1:
			if got := p.Retire(name); got != known {
				t.Errorf("retiring %s, known %t: %t", name, known, got)
			}
			retired[name] = known
		case 2, 3:
			b := next()
			if e := p.Endpoint(name); e != nil {
				see(e, policy.Phase(b%4), policy.Outcome(b/4%12))
			}
		case 4:
			b := next()
			prober.set(name, policy.Outcome(b%12), policy.Outcome(b/12%12))
		case 5:
			pass(time.Duration(next()) * 40 * time.Millisecond)
		}
		if op%12 >= 6 {
			continue // more happens before the pool looks
		}
		synctest.Wait()
		follow(t, w, model)
		compare(t, p, model, retired, active)
		for _, r := range p.Endpoints() {
			if exposed[r.Name] && !r.Exposed {
				t.Errorf("%s was exposed, which is forgotten", r.Name)
			}
			exposed[r.Name] = r.Exposed
		}
		if t.Failed() {
			return
		}
	}
}

// follow takes what has happened over into the model.
func follow(t *testing.T, w *pool.Watch, model map[string]policy.State) {
	t.Helper()
	for {
		ev, err := w.Next(closed(t))
		if err != nil {
			return
		}
		if ev.Kind != pool.Changed {
			continue
		}
		name := ev.Endpoint.Name()
		if model[name] != ev.From {
			t.Errorf("%s, but it was %s", ev, model[name])
		}
		model[name] = ev.To
	}
}

// compare holds every way to read the pool against the model.
func compare(t *testing.T, p *pool.Pool, model map[string]policy.State, retired map[string]bool, active int) {
	t.Helper()
	byState := make(map[policy.State][]string)
	names := make([]string, 0, len(model))
	for name, s := range model {
		names = append(names, name)
		byState[s] = append(byState[s], name)
		if retired[name] != (s == policy.Retired) {
			t.Errorf("%s is %s, retired: %t", name, s, retired[name])
		}
	}
	slices.Sort(names)
	var got []string
	slots := make(map[int]string)
	for _, r := range p.Endpoints() {
		got = append(got, r.Name)
		if e := p.Endpoint(r.Name); r.State != model[r.Name] || e.State() != r.State {
			t.Errorf("%s: the row says %s, the handle %s, the events %s", r.Name, r.State, e.State(), model[r.Name])
		}
		if r.Slot >= 0 {
			if other := slots[r.Slot]; other != "" || r.Slot >= active {
				t.Errorf("slot %d of %d is held by %s and %s", r.Slot, active, other, r.Name)
			}
			slots[r.Slot] = r.Name
		}
	}
	if !slices.Equal(got, names) {
		t.Errorf("want %q, got %q", names, got)
	}
	for s := range policy.States {
		var got []string
		for _, r := range p.InState(s) {
			got = append(got, r.Name)
		}
		slices.Sort(byState[s])
		if !slices.Equal(got, byState[s]) {
			t.Errorf("%s: want %q, got %q", s, byState[s], got)
		}
	}
	lease := p.Lease("a")
	offered := make(map[string]bool)
	for e := lease.Next(); e != nil; e = lease.Next() {
		s := model[e.Name()]
		if offered[e.Name()] || s == policy.Reserve || s == policy.Retired {
			t.Errorf("%s is offered: it is %s, offered before %t", e.Name(), s, offered[e.Name()])
		}
		if s != policy.Active {
			for _, name := range byState[policy.Active] {
				if !offered[name] {
					t.Errorf("%s is offered, which is %s, before %s, which is active", e.Name(), s, name)
				}
			}
		}
		offered[e.Name()] = true
	}
	want := len(names) - len(byState[policy.Reserve]) - len(byState[policy.Retired])
	if len(offered) != want {
		t.Errorf("want %d offers, got %d", want, len(offered))
	}
}
