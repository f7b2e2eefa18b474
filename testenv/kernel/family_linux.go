package kernel

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// family is what IPv4 and IPv6 differ in.
type family struct {
	name   string
	number byte // unix.NFPROTO_...
	length int  // of an address, in bytes
	// from and to are where a packet has its source and destination.
	from, to int
	// header is the length of an IP header without options, in bytes.
	header int
	live   string
}

var (
	ipv4 = family{"4", unix.NFPROTO_IPV4, 4, 12, 16, 20, live4}
	ipv6 = family{"6", unix.NFPROTO_IPV6, 16, 8, 24, 40, live6}

	families = []family{ipv4, ipv6}
)

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return ipv4
	}
	return ipv6
}

// is holds for packets of the family. It is two expressions in one, so that it
// reads as one condition.
func (f family) is() nft.Expr { return nft.Protocol(f.number) }

// Where a TCP header has its ports.
const sourcePort, destinationPort = 0, 2

// server is where a packet of a direction has the far end's address, and its
// port.
func (f family) server(d blocker.Direction) (address, port int) {
	if d == blocker.Up {
		return f.to, destinationPort
	}
	return f.from, sourcePort
}

// client is the same for the near end.
func (f family) client(d blocker.Direction) (address, port int) {
	if d == blocker.Up {
		return f.from, sourcePort
	}
	return f.to, destinationPort
}
