package testenv

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// destinationPrefix is where destinations live: outside of all clouds.
var destinationPrefix = netip.MustParsePrefix("149.154.160.0/20")

// DestinationConfig describes a destination.
type DestinationConfig struct {
	// Latency is one way, from any cloud, or from the border of any ISP. See
	// World.Omitted.
	Latency time.Duration
	// Addr is its address; the zero Addr chooses one in 149.154.160.0/20.
	Addr netip.Addr
}

// Destination adds a host with a name, for endpoints to reach. It panics if the
// name or the address is taken.
func (w *World) Destination(name string, c DestinationConfig) *Host {
	name = strings.ToLower(name)
	w.mu.Lock()
	if w.destinations[name] != nil {
		w.mu.Unlock()
		panic("testenv: destination " + name + " exists already")
	}
	addr := c.Addr.Unmap()
	var err error
	if addr.IsValid() {
		err = w.on.route(netip.PrefixFrom(addr, addr.BitLen()))
	} else {
		addr, err = w.draw(destinationPrefix)
	}
	if err != nil {
		w.mu.Unlock()
		panic(err)
	}
	h := &Host{
		w: w, name: name, addr: addr, latency: c.Latency, ordered: time.Now(),
		spec: policy.Spec{Host: name, Addr: addr},
	}
	w.destinations[name] = h
	w.add(h)
	w.mu.Unlock()
	w.far("the latency of destination "+name, c.Latency)
	if err := h.boot(); err != nil {
		panic(err)
	}
	return h
}

// Resolve returns the address of a destination.
func (w *World) Resolve(_ context.Context, name string) (netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.destinations[strings.ToLower(strings.TrimSuffix(name, "."))]
	if h == nil {
		return netip.Addr{}, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return h.addr, nil
}

// called is how people write an address and port, by name for destinations.
func (w *World) called(a netip.AddrPort) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.byAddr[a.Addr()]; h != nil {
		return net.JoinHostPort(h.name, strconv.Itoa(int(a.Port())))
	}
	return a.String()
}

// resolve is what to dial for an address as programs write it.
func (w *World) resolve(network, address string) (netip.AddrPort, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return netip.AddrPort{}, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError(network)}
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return netip.AddrPort{}, &net.OpError{Op: "dial", Net: network, Err: &net.AddrError{Err: "invalid port", Addr: address}}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		if addr, err = w.Resolve(context.Background(), host); err != nil {
			return netip.AddrPort{}, &net.OpError{Op: "dial", Net: network, Err: err}
		}
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}
