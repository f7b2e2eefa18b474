package lab

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// harm adds up what the ledger says about addresses and tenants over a run.
type harm struct {
	mu      sync.Mutex
	last    time.Time // date of the last look
	now     uint64
	peak    uint64
	hit     []string // names, now
	tenants map[string]*Collateral
}

// Collateral is what a run did to one tenant.
type Collateral struct {
	Name string
	// Weight is the sum over its addresses.
	Weight int
	// Time is for how long, by the scenario's dates, one of its addresses was
	// under a rule somewhere.
	Time time.Duration
}

// settled makes the tenants known.
func (h *harm) settled(plans []scenario.Cloud) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tenants = make(map[string]*Collateral)
	for _, c := range plans {
		for _, t := range c.Tenants {
			if h.tenants[t.Name] == nil {
				h.tenants[t.Name] = &Collateral{Name: t.Name}
			}
			h.tenants[t.Name].Weight += t.Weight
		}
	}
}

// look takes what the ledger says at a date.
func (h *harm) look(l testenv.Ledger, date time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.last.IsZero() {
		for _, name := range h.hit {
			h.tenants[name].Time += date.Sub(h.last)
		}
	}
	h.last = date
	h.now = l.Addresses
	h.peak = max(h.peak, h.now)
	// Names come in the order in which they were hit first.
	under := make(map[string]bool)
	for _, t := range l.Tenants {
		under[t.Name] = true
		if !slices.Contains(h.hit, t.Name) {
			h.hit = append(h.hit, t.Name)
		}
	}
	h.hit = slices.DeleteFunc(h.hit, func(name string) bool { return !under[name] })
}

// state is what the board shows of it.
func (h *harm) state(s *State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Blocked, s.Peak = h.now, h.peak
	s.Hit, s.Tenants = slices.Clone(h.hit), len(h.tenants)
}

// total is everybody who was hit, the longest first.
func (h *harm) total() (peak uint64, hit []Collateral) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.tenants {
		if c.Time > 0 {
			hit = append(hit, *c)
		}
	}
	slices.SortFunc(hit, func(a, b Collateral) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Name, b.Name))
	})
	return h.peak, hit
}
