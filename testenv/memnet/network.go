package memnet

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// ErrAddressInUse is returned for an address that has a host already.
var ErrAddressInUse = errors.New("memnet: address already in use")

// Border sees every packet that crosses it, in both directions, and says what
// happens to it. There is one Border for each connection. It is called with
// the connection's lock held: it must be quick and must not use the connection.
// Up is the direction from the host that dialled.
type Border interface {
	Inspect(p blocker.Packet, now time.Time) blocker.Decision
}

// Path is the way from the host that dials to the one that is dialled.
type Path struct {
	// Near and Far are the one-way latencies from the dialling host to the
	// border and from there to the other end. Zero is allowed.
	Near, Far time.Duration
	// Border may be nil: nothing interferes.
	Border Border
	// NearLine and FarLine are what the two stretches do to packets by their
	// nature. They may be nil: nothing.
	NearLine, FarLine *Line
	// Divert, if not nil, answers in place of the host at the address that is
	// dialled, and in its name.
	Divert *Listener
	// Seed decides the draws of what befalls this connection on its lines.
	Seed uint64
}

// Router says how a connection from a host, with the given source, to an
// address and port will run. It is asked once for each dial, and must be safe
// for concurrent use.
type Router func(from *Host, source, to netip.AddrPort) Path

// Network joins hosts. All methods are safe for concurrent use.
type Network struct {
	route Router
	epoch time.Time

	mu     sync.RWMutex
	hosts  map[netip.Addr]*Host
	closed bool
}

// New returns an empty network. If route is nil, all paths are free and without
// latency.
func New(route Router) *Network {
	if route == nil {
		route = func(*Host, netip.AddrPort, netip.AddrPort) Path { return Path{} }
	}
	return &Network{route: route, epoch: time.Now(), hosts: make(map[netip.Addr]*Host)}
}

// Host adds a host at an address that has none.
func (n *Network) Host(addr netip.Addr) (*Host, error) {
	addr = addr.Unmap()
	if !addr.IsValid() || addr.IsUnspecified() || addr.IsLoopback() {
		return nil, fmt.Errorf("memnet: %v is no address for a host", addr)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, errClosedNetwork
	}
	if n.hosts[addr] != nil {
		return nil, fmt.Errorf("%w: %v", ErrAddressInUse, addr)
	}
	h := newHost(n, addr)
	n.hosts[addr] = h
	return h, nil
}

// Lookup returns the host at an address, or nil.
func (n *Network) Lookup(addr netip.Addr) *Host {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.hosts[addr.Unmap()]
}

// Close ends the network: listeners and connections fail with net.ErrClosed at
// both ends, and no timer is left. It does not wait for those who use them.
func (n *Network) Close() error {
	n.mu.Lock()
	n.closed = true
	hosts := n.hosts
	n.hosts = nil
	n.mu.Unlock()
	for _, h := range hosts {
		h.Vanish()
	}
	return nil
}

func (n *Network) remove(h *Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts[h.addr] == h {
		delete(n.hosts, h.addr)
	}
}

// instant is a time as the network counts it: since its beginning.
type instant = time.Duration

// never is later than all instants.
const never instant = math.MaxInt64

func (n *Network) now() instant { return time.Since(n.epoch) }

func (n *Network) time(t instant) time.Time { return n.epoch.Add(t) }
