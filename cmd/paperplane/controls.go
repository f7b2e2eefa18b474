package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay/exit"
)

// controlHosts is the flag that names controls; every use adds one.
type controlHosts struct{ hosts []controlHost }

// controlHost is one control as the user wrote it. Addr is the zero Addr for a
// name.
type controlHost struct {
	text string
	host string
	port uint16
	addr netip.Addr
}

func (c *controlHosts) String() string { return "" }
func (c *controlHosts) Type() string   { return "host:port" }

func (c *controlHosts) Set(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return fmt.Errorf("must be host:port like example.org:443, got %q", s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("must have a port from 1 to 65535, got %q", s)
	}
	h := controlHost{text: s, host: host, port: uint16(n)}
	if addr, err := netip.ParseAddr(host); err == nil {
		h.addr = addr.Unmap()
		if err := beyond(h.addr); err != nil {
			return err
		}
	}
	c.hosts = append(c.hosts, h)
	return nil
}

// internet refuses what lies on our own side of the way out.
var internet exit.Guard

// beyond is nil if a control at a shows that our way out works. What is on our
// own side of it, the gateway above all, answers while the way out is down, and
// would have every endpoint condemned.
func beyond(a netip.Addr) error {
	err := internet.Check(a)
	if err == nil && onLink(a) {
		err = fmt.Errorf("%s is in a network of this machine", a)
	}
	if err == nil {
		return nil
	}
	why := strings.TrimPrefix(err.Error(), exit.ErrGuarded.Error()+": ")
	return fmt.Errorf("must be a host on the internet, as others answer while the way out is down: %s", why)
}

// onLink reports whether one of this machine's interfaces is in a's network.
func onLink(a netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, addr := range addrs {
		if n, ok := addr.(*net.IPNet); ok && n.Contains(net.IP(a.AsSlice())) {
			return true
		}
	}
	return false
}

// resolve finds the address of each control, now, since names cannot be resolved
// when the network is in question. A control that has none to use is left out
// with a warning: a resolver may lie. It fails for one that must not be shown: an
// endpoint, whose address it would expose, or a host of a probe target, which
// must not be seen to be of interest to this machine.
func (c *controlHosts) resolve(ctx context.Context, r resolver, specs []policy.Spec, targets []probe.Target, log *slog.Logger) ([]netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	endpoints := make(map[netip.Addr]string)
	for _, s := range specs {
		endpoints[s.Addr] = s.Name()
	}
	var out []netip.AddrPort
	var errs []error
	for _, h := range c.hosts {
		for _, t := range targets {
			if strings.EqualFold(strings.TrimSuffix(t.Host, "."), strings.TrimSuffix(h.host, ".")) {
				errs = append(errs, usagef("--control %s: must not be a probe target as well: those are reached through endpoints only", h.text))
			}
		}
		addrs := []netip.Addr{h.addr}
		if !h.addr.IsValid() {
			var err error
			if addrs, err = r.LookupNetIP(ctx, "ip", h.host); err != nil {
				log.Warn("control left out: its name cannot be resolved", "control", h.text, "err", err)
				continue
			}
		}
		addr, err := usable(addrs)
		if err != nil {
			log.Warn("control left out: "+err.Error(), "control", h.text)
			continue
		}
		if name, ok := endpoints[addr]; ok {
			errs = append(errs, usagef("--control %s: must not have the address of an endpoint, %s: that would expose it", h.text, name))
			continue
		}
		out = append(out, netip.AddrPortFrom(addr, h.port))
	}
	return out, errors.Join(errs...)
}

// usable is the first of the addresses that can be a control.
func usable(addrs []netip.Addr) (netip.Addr, error) {
	err := errors.New("its name has no address")
	for _, a := range addrs {
		a = a.Unmap()
		if err = beyond(a); err == nil {
			return a, nil
		}
	}
	return netip.Addr{}, err
}

// controls are what the pool asks.
func controls(at []netip.AddrPort, dialer *upstream.Dialer) []pool.Control {
	var cs []pool.Control
	for _, a := range at {
		cs = append(cs, probe.Control{Address: a, Upstream: dialer})
	}
	return cs
}
