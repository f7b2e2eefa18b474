package kernel

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// addresses are those along the way from a vantage to the middle, by family.
type addresses [2]hops

// hops are the addresses of the customer, of the border on either side, and of
// the middle's end of the link.
type hops struct{ vantage, near, far, world netip.Addr }

// gateway is the border's address as its customers see it: the last but one of
// their prefix.
func gateway(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b).Prev()
}

// addresses chooses those of the links: of 169.254.0.0/16, four for each vantage,
// and of fd70:6170::/32, a /64 on either side.
func (v *Vantage) addresses(vantage netip.Addr) addresses {
	link := func(n int) netip.Addr {
		n += 4 * v.index
		return netip.AddrFrom4([4]byte{169, 254, byte(n >> 8), byte(n)})
	}
	wide := func(side, n byte) netip.Addr {
		return netip.AddrFrom16([16]byte{0xfd, 0x70, 0x61, 0x70, byte(v.index >> 8), byte(v.index), 0, side, 15: n})
	}
	return addresses{
		{vantage, gateway(v.prefix), link(1), link(2)},
		{wide(1, 1), wide(1, 2), wide(2, 1), wide(2, 2)},
	}
}

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// customer, border and middle set up their part in the calling thread's
// namespace.
func (a addresses) customer() error {
	if err := tune(endpointSettings...); err != nil {
		return err
	}
	if err := up("lo"); err != nil {
		return err
	}
	if err := tune("?ipv6/conf/" + customerLink + "/accept_ra 0"); err != nil {
		return err
	}
	for _, h := range a {
		if err := address(customerLink, h.vantage); err != nil {
			return err
		}
	}
	if err := connect(customerLink); err != nil {
		return err
	}
	for _, h := range a {
		if err := via(customerLink, netip.PrefixFrom(unspecified(h.near), 0), h.near); err != nil {
			return err
		}
	}
	return nil
}

func (a addresses) border() error {
	for _, h := range a {
		if err := address(nearLink, h.near); err != nil {
			return err
		}
		if err := address(farLink, h.far); err != nil {
			return err
		}
	}
	for _, link := range []string{nearLink, farLink} {
		if err := connect(link); err != nil {
			return err
		}
	}
	for _, h := range a {
		if err := via(nearLink, host(h.vantage), netip.Addr{}); err != nil {
			return err
		}
		if err := via(farLink, netip.PrefixFrom(unspecified(h.world), 0), h.world); err != nil {
			return err
		}
	}
	return nil
}

func (a addresses) middle(customers netip.Prefix, index int) error {
	link := middleLink(index)
	for _, h := range a {
		if err := address(link, h.world); err != nil {
			return err
		}
	}
	if err := connect(link); err != nil {
		return err
	}
	if err := via(link, customers, a[0].far); err != nil {
		return err
	}
	return via(link, host(a[1].vantage), a[1].far)
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

func address(link string, a netip.Addr) error {
	l, err := netlink.LinkByName(link)
	if err == nil {
		err = netlink.AddrAdd(l, &netlink.Addr{IPNet: ipNet(host(a)), Flags: unix.IFA_F_NODAD})
	}
	if err != nil {
		return fmt.Errorf("address %v of %s: %w", a, link, err)
	}
	return nil
}

// connect brings a link up.
func connect(link string) error {
	l, err := netlink.LinkByName(link)
	if err == nil && !trains {
		err = netlink.LinkSetGSOMaxSegs(l, 1)
	}
	if err != nil {
		return fmt.Errorf("interface %s: %w", link, err)
	}
	return up(link)
}

// running waits until a link carries packets: the kernel notes a while after both
// ends are up that they are, and drops what is sent before.
func running(link string) error {
	for end := time.Now().Add(linkPatience); ; time.Sleep(time.Millisecond) {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return fmt.Errorf("interface %s: %w", link, err)
		}
		if l.Attrs().OperState == netlink.OperUp {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("interface %s: %v after %v", link, l.Attrs().OperState, linkPatience)
		}
	}
}

const linkPatience = 10 * time.Second

// trains lets links carry trains of segments, for measuring what that is worth.
var trains = false

// via routes a prefix over a link, to a next hop or, without one, directly.
func via(link string, p netip.Prefix, hop netip.Addr) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return fmt.Errorf("interface %s: %w", link, err)
	}
	r := &netlink.Route{Dst: ipNet(p), LinkIndex: l.Attrs().Index}
	if hop.IsValid() {
		r.Gw, r.Flags = hop.AsSlice(), int(netlink.FLAG_ONLINK)
	} else {
		r.Scope = netlink.SCOPE_LINK
	}
	if err := netlink.RouteAdd(r); err != nil {
		return fmt.Errorf("route %v over %s: %w", p, link, err)
	}
	return nil
}
