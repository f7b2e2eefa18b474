package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// Vantage is an ISP: one machine of a customer, and the border that all it sends
// and receives passes through. All methods are safe for concurrent use.
type Vantage struct {
	net      *Network
	index    int
	host     *Host
	prefix   netip.Prefix
	customer *namespace
	border   *namespace
	conn     *nft.Conn
	commit   func(*nft.Batch) error // conn's
	watcher  *watcher

	mu     sync.Mutex
	closed bool
	line   line
	rules  *blocker.RuleSet
	laid   map[blocker.RuleID]*laid
	stale  []*laid
	serial int
	timer  *time.Timer
	portal *portal
}

// The interfaces: the customer's, and the border's towards the customer and
// towards the world. Each vantage has one in the middle, too.
const (
	customerLink = "isp"
	nearLink     = "near"
	farLink      = "far"
)

func middleLink(index int) string { return fmt.Sprintf("isp%d", index) }

// maxVantages is how many links there are addresses for.
const maxVantages = 1 << 14

// Vantage adds an ISP whose customers are in a prefix, which must have room for
// four addresses; one machine there has the given address. The last but one of the
// prefix is the border's. The machine has an IPv6 address too, in
// fd70:6170::/32, by which it reaches hosts with IPv6 addresses. The observer may
// be nil.
func (n *Network) Vantage(addr netip.Addr, prefix netip.Prefix, o Observer) (*Vantage, error) {
	prefix = prefix.Masked()
	if !addr.Is4() || !prefix.Contains(addr) || prefix.Bits() > 30 || reserved(prefix) || addr == gateway(prefix) {
		return nil, fmt.Errorf("kernel: %v in %v cannot be a vantage", addr, prefix)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, net.ErrClosed
	}
	if len(n.vantages) == maxVantages {
		return nil, errors.New("kernel: too many vantages")
	}
	for _, v := range n.vantages {
		if v.prefix.Overlaps(prefix) {
			return nil, fmt.Errorf("kernel: %v overlaps with %v, which is a vantage's", prefix, v.prefix)
		}
	}
	for _, p := range n.routes {
		if p.Overlaps(prefix) {
			return nil, fmt.Errorf("kernel: %v overlaps with %v, which is routed", prefix, p)
		}
	}
	v := &Vantage{net: n, index: len(n.vantages), prefix: prefix, laid: make(map[blocker.RuleID]*laid)}
	if err := v.build(addr, o); err != nil {
		return nil, errors.Join(fmt.Errorf("kernel: vantage %v: %w", addr, err), v.free())
	}
	n.vantages = append(n.vantages, v)
	return v, nil
}

// Host is the customer's machine. Who dials there is under the rules of the
// border; connections to its own address and loopback are not.
func (v *Vantage) Host() *Host { return v.host }

func (v *Vantage) build(addr netip.Addr, o Observer) (err error) {
	if v.customer, err = newNamespace(); err != nil {
		return err
	}
	if v.border, err = newNamespace(); err != nil {
		return err
	}
	a := v.addresses(addr)
	if err := v.border.do(func() error { return v.buildBorder(a) }); err != nil {
		return fmt.Errorf("border: %w", err)
	}
	if err := v.customer.do(a.customer); err != nil {
		return fmt.Errorf("customer: %w", err)
	}
	if err := v.net.middle.ns.do(func() error { return a.middle(v.prefix, v.index) }); err != nil {
		return fmt.Errorf("middle: %w", err)
	}
	for link, ns := range map[string]*namespace{
		customerLink: v.customer, nearLink: v.border, farLink: v.border, middleLink(v.index): v.net.middle.ns,
	} {
		if err := ns.do(func() error { return running(link) }); err != nil {
			return err
		}
	}
	v.watcher, err = watch(v.border, o, v.net.log.With("vantage", addr))
	if err != nil {
		return err
	}
	v.host = newHost(v.net, addr, v.customer)
	return nil
}

// buildBorder runs in the border's namespace.
func (v *Vantage) buildBorder(a addresses) error {
	// Bytes are counted per flow only from when this is set.
	if err := tune(borderSettings...); err != nil {
		return err
	}
	var err error
	if v.conn, err = nft.Dial(); err != nil {
		return err
	}
	v.commit = v.conn.Commit
	b := nft.New(table)
	layOut(b)
	v.line.write(b)
	if err := v.commit(b); err != nil {
		return err
	}
	if err := pair(nearLink, customerLink, v.customer); err != nil {
		return err
	}
	if err := pair(farLink, middleLink(v.index), v.net.middle.ns); err != nil {
		return err
	}
	return a.border()
}

// pair makes a link from the calling thread's namespace to another.
func pair(here, there string, ns *namespace) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = here
	l := &netlink.Veth{LinkAttrs: attrs, PeerName: there, PeerNamespace: netlink.NsFd(int(ns.file.Fd()))}
	if err := netlink.LinkAdd(l); err != nil {
		return fmt.Errorf("link %s to %s: %w", here, there, err)
	}
	return nil
}

// close ends the vantage and frees all it has.
func (v *Vantage) close() error {
	err := v.Release()
	v.mu.Lock()
	v.closed = true
	if v.timer != nil {
		v.timer.Stop()
	}
	v.mu.Unlock()
	v.host.shut()
	return errors.Join(err, v.free())
}

func (v *Vantage) free() error {
	var all []error
	if v.watcher != nil {
		all = append(all, v.watcher.close())
	}
	if v.conn != nil {
		all = append(all, v.conn.Close())
	}
	if v.border != nil {
		// The links would stay until the kernel gets round to the namespace.
		all = append(all, v.border.do(func() error {
			for _, name := range []string{nearLink, farLink} {
				if l, err := netlink.LinkByName(name); err == nil {
					_ = netlink.LinkDel(l)
				}
			}
			return nil
		}), v.border.close())
	}
	if v.customer != nil {
		all = append(all, v.customer.close())
	}
	return errors.Join(all...)
}

// change runs f while nothing else changes the vantage.
func (v *Vantage) change(f func() error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return net.ErrClosed
	}
	return f()
}
