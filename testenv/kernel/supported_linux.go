package kernel

import (
	"errors"
	"io/fs"
	"sync"
	"time"

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
	return unsupported("network namespaces", errors.Join(n.do(try), n.close()))
})

// unsupported is the [*UnsupportedError] that an error is, or else one because of it.
func unsupported(what string, err error) error {
	var u *UnsupportedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &u):
		return u
	}
	return &UnsupportedError{what, err}
}

// Delays reports whether this process's networks can have a [Vantage.Delay]: nil, or
// an [*UnsupportedError].
func Delays() error { return delays() }

var delays = sync.OnceValue(func() error {
	if err := Supported(); err != nil {
		return err
	}
	n, err := newNamespace()
	if err != nil {
		return unsupported("network namespaces", err)
	}
	err = n.do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = nearLink
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: farLink}); err != nil {
			return err
		}
		return delay(nearLink, time.Millisecond)
	})
	return unsupported("delay", errors.Join(err, n.close()))
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
