package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// middle is the namespace of all clouds and destinations. The kernel there
// takes every routed address for its own; a set has those at which a host is
// up, and what goes to or comes from another is dropped without a word.
type middle struct {
	ns   *namespace
	conn *nft.Conn
}

// endpointSettings are those of a namespace with sockets. Ports below 20000 are
// never taken by a dial, so that servers can have them. A port is free a second
// after its connection has ended, as in RFC 6191: a test makes more connections
// between two addresses than there are ports in a minute. What one connection has
// learnt of a path is not handed on to the next, which another test has. The
// congestion control is Linux's own, cubic, or reno where the machine keeps that one
// for itself; whatever it prefers: one that paces (BBR) makes links without latency
// slow.
var endpointSettings = []string{
	"ipv4/ip_local_port_range 20000 65535",
	"ipv4/tcp_tw_reuse 1",
	"?ipv4/tcp_no_metrics_save 1",
	"?ipv4/tcp_congestion_control reno",
	"?ipv4/tcp_congestion_control cubic",
	"?ipv4/tcp_max_syn_backlog 4096",
	"?core/somaxconn 4096",
	"?ipv4/icmp_ratelimit 0",
	"?ipv6/icmp/ratelimit 0",
	"ipv4/conf/all/rp_filter 0",
	"ipv4/conf/default/rp_filter 0",
	"ipv6/conf/all/accept_dad 0",
	"ipv6/conf/default/accept_dad 0",
	"ipv6/conf/all/accept_ra 0",
	"ipv6/conf/default/accept_ra 0",
	"ipv6/ip_nonlocal_bind 1",
}

func newMiddle() (*middle, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	m := &middle{ns: ns}
	err = ns.do(func() error {
		if err := tune(endpointSettings...); err != nil {
			return err
		}
		if err := up("lo"); err != nil {
			return err
		}
		if m.conn, err = nft.Dial(); err != nil {
			return err
		}
		b := nft.New(table)
		layOutMiddle(b)
		return m.conn.Commit(b)
	})
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

const (
	table = "paperplane"

	// The sets of addresses at which a host is up, by family.
	live4, live6 = "live4", "live6"
)

// layOutMiddle makes the chains that let live addresses through only.
func layOutMiddle(b *nft.Batch) {
	b.Table()
	b.Set(nft.Set{Name: live4, Fields: []int{4}})
	b.Set(nft.Set{Name: live6, Fields: []int{16}})
	b.Chain("in", &nft.Hook{Kind: "filter", Number: unix.NF_INET_LOCAL_IN})
	b.Chain("out", &nft.Hook{Kind: "filter", Number: unix.NF_INET_LOCAL_OUT})
	for _, f := range families {
		for chain, offset := range map[string]int{"in": f.to, "out": f.from} {
			b.Rule(chain, f.is(), nft.Network(offset, f.length, nft.R(0)), nft.In(f.live, nft.R(0)), nft.Accept())
			for _, p := range infrastructure {
				if p.Addr().BitLen() != f.length*8 {
					continue
				}
				mask := ipNet(p).Mask
				b.Rule(chain, f.is(), nft.Network(offset, f.length, nft.R(0)),
					nft.And(nft.R(0), mask, make([]byte, len(mask))),
					nft.Is(nft.R(0), p.Addr().AsSlice()...), nft.Accept())
			}
		}
	}
	b.Rule("in", nft.Drop())
	b.Rule("out", nft.Drop())
}

// route makes all addresses of a prefix this namespace's own. It is called in it.
func (m *middle) route(p netip.Prefix) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	r := &netlink.Route{
		Dst: ipNet(p), LinkIndex: lo.Attrs().Index, Type: unix.RTN_LOCAL,
		Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST,
	}
	if err := netlink.RouteAdd(r); !errors.Is(err, syscall.EEXIST) {
		return err
	}
	return nil
}

// rise lets an address answer; sink silences it from the next packet on.
func (m *middle) rise(a netip.Addr) error {
	b := nft.New(table)
	b.Add(familyOf(a).live, nft.Element{Key: a.AsSlice()})
	return m.conn.Commit(b)
}

func (m *middle) sink(a netip.Addr) error {
	b := nft.New(table)
	b.Delete(familyOf(a).live, nft.Element{Key: a.AsSlice()})
	return m.conn.Commit(b)
}

func (m *middle) close() error {
	var err error
	if m.conn != nil {
		err = m.conn.Close()
	}
	if err = errors.Join(err, m.ns.close()); err != nil {
		return fmt.Errorf("kernel: middle: %w", err)
	}
	return nil
}
