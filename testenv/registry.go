package testenv

import (
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Block enters prefixes into the registry now. Each ISP applies them after its
// own lag.
func (w *World) Block(prefixes ...netip.Prefix) {
	w.Enter(blocker.Change{At: time.Now(), Prefixes: prefixes})
}

// Unblock strikes exactly these prefixes off the registry now.
func (w *World) Unblock(prefixes ...netip.Prefix) {
	w.Enter(blocker.Change{At: time.Now(), Prefixes: prefixes, Lift: true})
}

// Enter enters orders into the registry, each at its date, which may lie in the
// future. An order for the past takes effect now, less the ISPs' lags.
func (w *World) Enter(orders ...blocker.Change) {
	w.mu.Lock()
	for _, c := range orders {
		w.registry.Enter(c)
	}
	isps := append([]*ISP(nil), w.isps...)
	w.mu.Unlock()
	for _, i := range isps {
		w.schedule(i, orders)
	}
}

// schedule lets an ISP apply changes, each after its lag.
func (w *World) schedule(i *ISP, changes []blocker.Change) {
	overdue := false
	for _, c := range changes {
		if due := time.Until(c.At.Add(i.config.Lag)); due > 0 {
			w.after(due, i.apply)
		} else {
			overdue = true
		}
	}
	if overdue {
		i.apply()
	}
}

// Listed is the registry's list as it is now.
func (w *World) Listed() *blocker.PrefixSet {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.registry.At(time.Now())
}

// apply brings this ISP's rule for listed prefixes up to its lag.
func (i *ISP) apply() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.w.mu.Lock()
	set := i.w.registry.At(time.Now().Add(-i.config.Lag))
	i.w.mu.Unlock()
	rule := blocker.Rule{When: blocker.When{Set: set}, Do: i.config.Apply}
	switch {
	case i.listed != 0 && set.Len() == 0:
		i.w.trouble(i.publish(i.rules.Load().Without(i.listed)))
		i.strike(i.listed)
		i.listed = 0
		return
	case set.Len() == 0:
		return
	case i.listed == 0:
		rules, id := i.rules.Load().With(rule)
		i.listed = id
		i.w.trouble(i.publish(rules))
	default:
		if old, ok := i.rules.Load().Rule(i.listed); ok && old.When.Set == set {
			return
		}
		i.w.trouble(i.publish(i.rules.Load().Revised(i.listed, rule)))
		i.strike(i.listed)
	}
	i.note(i.listed, rule)
}
