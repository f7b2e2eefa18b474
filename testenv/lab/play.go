package lab

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// around lets an act happen, tells the relays what concerns them, and writes into
// the diary what came of it at the first ISP.
func (r *run) around(a scenario.Act, do func() scenario.Deed) {
	first := r.vantages[0]
	now := time.Now()
	if a.Rule != nil {
		// It is in force already, from its very moment on.
		now = r.stage.Time(a.At).Add(-1)
	}
	before, use := first.covered(now), first.inUse()
	if a.Event != nil {
		r.cut(a.Event.Cut, !a.Over)
	}
	d := do()
	born, err := r.learn(d.Launched)
	r.born += born
	for _, h := range append(d.Retired, d.Released...) {
		for _, v := range r.vantages {
			v.pool.Retire(h.Spec().Name())
			v.forget(h)
		}
	}
	e := Event{At: a.At, Text: text(a, d), Good: helps(a)}
	switch {
	case d.Err != nil:
		e.Text = d.Err.Error()
	case err != nil:
		e.Text = err.Error()
	case born > 0:
		e.Text += fmt.Sprintf(", %d born blocked", born)
	}
	now = time.Now()
	for addr := range first.covered(now) {
		if !before[addr] && len(d.Launched) == 0 {
			e.Lost++
			if use[addr] {
				r.in++
			}
		}
	}
	for _, v := range r.vantages {
		v.weigh(now)
	}
	if e.Text != "" {
		r.note(now, e)
	}
	r.look()
}

// cut notes whose own networks are down.
func (r *run) cut(isps []string, down bool) {
	for _, name := range isps {
		for _, v := range r.vantages {
			if v.plan.Name == name {
				v.cut.Store(down)
				v.tally.outage(time.Now(), down)
			}
		}
	}
}

// covered is which of the known endpoints are under a rule at a time.
func (v *vantage) covered(now time.Time) map[netip.Addr]bool {
	rules := v.isp.Rules()
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
