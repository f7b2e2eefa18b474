package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Network is a network of namespaces. All methods are safe for concurrent use.
type Network struct {
	seed   uint64
	log    *slog.Logger
	home   *namespace
	middle *middle

	mu       sync.Mutex
	closed   bool
	routes   []netip.Prefix
	hosts    map[netip.Addr]*Host
	vantages []*Vantage
	failed   []error // behind calls that return none
}

// New returns a network that has a middle without addresses. If this process
// may not make namespaces, the error is an [*UnsupportedError]; see [Main].
func New(c Config) (*Network, error) {
	if err := Supported(); err != nil {
		return nil, err
	}
	n := &Network{seed: c.Seed, log: c.Logger, hosts: make(map[netip.Addr]*Host)}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if n.home, err = current(); err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	if n.middle, err = newMiddle(); err != nil {
		return nil, errors.Join(fmt.Errorf("kernel: %w", err), n.home.close())
	}
	return n, nil
}

// infrastructure is what the network's own links use. See Vantage.
var infrastructure = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("fd70:6170::/32"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("ff00::/8"),
}

func reserved(p netip.Prefix) bool {
	for _, i := range infrastructure {
		if i.Overlaps(p) {
			return true
		}
	}
	return p.Contains(netip.IPv4Unspecified()) && p.Bits() >= 8
}

// Route makes addresses that hosts in the middle can have. Vantages reach them;
// one that no host has is silent: there is neither RST nor ICMP. Routes may
// overlap. 127.0.0.0/8, 169.254.0.0/16, fd70:6170::/32 and what IPv6 has for
// single links are taken.
func (n *Network) Route(prefixes ...netip.Prefix) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return net.ErrClosed
	}
	for _, p := range prefixes {
		if !p.IsValid() || p.Addr().Is4In6() || reserved(p) {
			return fmt.Errorf("kernel: %v cannot be routed", p)
		}
	}
	return n.middle.ns.do(func() error {
		for _, p := range prefixes {
			p = p.Masked()
			if err := n.middle.route(p); err != nil {
				return fmt.Errorf("kernel: route %v: %w", p, err)
			}
			n.routes = append(n.routes, p)
		}
		return nil
	})
}

// Host adds a machine in the middle, at an address of a route that has none.
func (n *Network) Host(addr netip.Addr) (*Host, error) {
	addr = addr.Unmap()
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return nil, net.ErrClosed
	case n.hosts[addr] != nil:
		return nil, fmt.Errorf("kernel: %v: %w", addr, unix.EADDRINUSE)
	case !n.routed(addr):
		return nil, fmt.Errorf("kernel: %v is in no route", addr)
	}
	h := newHost(n, addr, n.middle.ns)
	h.middle = true
	if err := n.middle.rise(addr); err != nil {
		return nil, fmt.Errorf("kernel: host %v: %w", addr, err)
	}
	n.hosts[addr] = h
	return h, nil
}

func (n *Network) routed(a netip.Addr) bool {
	for _, p := range n.routes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// remove takes a host's address away.
func (n *Network) remove(h *Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts[h.addr] != h {
		return
	}
	delete(n.hosts, h.addr)
	if err := n.middle.sink(h.addr); err != nil {
		n.failed = append(n.failed, fmt.Errorf("host %v: %w", h.addr, err))
	}
}

// fail keeps an error of a call that returns none, for Close to return.
func (n *Network) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failed = append(n.failed, err)
	n.log.Warn("kernel network", "err", err)
}

// Close ends the network: connections and listeners fail with [net.ErrClosed],
// and nothing is left of it but the processes that were started in it, and
// their namespace. It returns all errors that happened behind calls that return
// none. Closing again does nothing.
func (n *Network) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	hosts, vantages := n.hosts, n.vantages
	n.hosts, n.vantages = nil, nil
	n.mu.Unlock()
	var all []error
	for _, h := range hosts {
		h.shut()
	}
	for _, v := range vantages {
		all = append(all, v.close())
	}
	all = append(all, n.middle.close(), n.home.close())
	n.mu.Lock()
	defer n.mu.Unlock()
	return errors.Join(append(n.failed, all...)...)
}

// up brings an interface of the calling thread's namespace up.
func up(name string) error {
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetUp(l)
	}
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
