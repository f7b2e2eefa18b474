package kernel

import (
	"errors"
	"io/fs"
	"sync"

	"github.com/vishvananda/netlink"

	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// Supported reports whether this process can make a [Network]: nil, or what is
// missing, in a sentence for people. The error is an [*UnsupportedError].
func Supported() error { return supported() }

// It is tried out once: what a process may do does not change.
var supported = sync.OnceValue(func() error {
	n, err := newNamespace()
	if errors.Is(err, fs.ErrPermission) {
		return &UnsupportedError{"network namespaces (run it as root, or allow user namespaces: " +
			"sysctl user.max_user_namespaces, and where they exist kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)", err}
	}
	if err != nil {
		return &UnsupportedError{"network namespaces", err}
	}
	return errors.Join(n.do(try), n.close())
})

// try does once what a network needs, in a namespace of its own.
func try() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "near"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "far"}); err != nil {
		return &UnsupportedError{"virtual Ethernet pairs (CONFIG_VETH)", err}
	}
	if err := tune(borderSettings...); err != nil {
		return &UnsupportedError{"settings of a border", err}
	}
	c, err := nft.Dial()
	if err != nil {
		return &UnsupportedError{"netlink for netfilter", err}
	}
	b := nft.New(table)
	layOut(b)
	if err := errors.Join(c.Commit(b), c.Close()); err != nil {
		return &UnsupportedError{"nftables with sets, conntrack and limits (CONFIG_NF_TABLES, NFT_CT, NFT_LIMIT, NFT_REJECT, NFT_HASH, NFT_NUMGEN)", err}
	}
	w, err := nft.Watch(logGroup, snapLength)
	if err != nil {
		return &UnsupportedError{"logging of packets (CONFIG_NETFILTER_NETLINK_LOG)", err}
	}
	return w.Close()
}

// anyNamespace says whether this process may make network namespaces.
func anyNamespace() error {
	n, err := newNamespace()
	if err != nil {
		return err
	}
	return n.close()
}
