package testenv

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// ISPs are the world's ISPs, in the order in which they were added.
func (w *World) ISPs() []*ISP {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.isps)
}

// Clouds are the world's clouds, in the order in which they were added.
func (w *World) Clouds() []*Cloud {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.clouds)
}

// Hosts are the machines that have not been released: endpoints, destinations
// and bare ones, in the order in which they were made. Those that have vanished
// are among them.
func (w *World) Hosts() []*Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.hosts), func(h *Host) bool { return !h.released.IsZero() })
}

// Prefixes are the cloud's addresses.
func (c *Cloud) Prefixes() []netip.Prefix { return slices.Clone(c.config.Prefixes) }

// Cloud is where the machine is; nil for a destination.
func (h *Host) Cloud() *Cloud { return h.cloud }

// Endpoint reports whether the machine was launched as an endpoint.
func (h *Host) Endpoint() bool { return h.endpoint }

// Lag is how long the ISP takes to apply a change of the registry.
func (i *ISP) Lag() time.Duration { return i.config.Lag }

// Apply is what the ISP does to addresses that the registry lists.
func (i *ISP) Apply() blocker.Action { return i.config.Apply }

// Listed is the rule by which the ISP applies the registry, or zero while there
// is nothing to apply.
func (i *ISP) Listed() blocker.RuleID {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.listed
}

// Down reports whether the ISP's network is cut.
func (i *ISP) Down() bool { return i.cut.Load() }

// Lookup resolves the name of a destination as a program in this ISP would that
// leaves it to the network: in the open. That is what a blocker hopes for, and
// the ledger notes it among the Directs, whatever comes of it.
func (i *ISP) Lookup(ctx context.Context, name string) (netip.Addr, error) {
	i.books.direct(i.name, name, time.Now())
	return i.w.Resolve(ctx, name)
}
