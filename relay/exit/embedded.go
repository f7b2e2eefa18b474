package exit

import "net/netip"

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	teredo     = netip.MustParsePrefix("2001::/32")
	compatible = netip.MustParsePrefix("::/96")
	translated = netip.MustParsePrefix("::ffff:0:0:0/96")
)

// embedded are the IPv4 addresses to which a packet for an IPv6 address may be
// sent in the end, by a translator or a tunnel on the way. IPv4-mapped
// addresses are taken for IPv4 before it comes to this.
func embedded(a netip.Addr) []netip.Addr {
	if !a.Is6() {
		return nil
	}
	b := a.As16()
	last := netip.AddrFrom4([4]byte(b[12:]))
	switch {
	case nat64.Contains(a), // RFC 6052 section 2.1
		translated.Contains(a): // SIIT, RFC 2765
		return []netip.Addr{last}
	case compatible.Contains(a): // RFC 4291 section 2.5.5.1
		if b == [16]byte{} || a == netip.IPv6Loopback() {
			return nil
		}
		return []netip.Addr{last}
	case nat64Local.Contains(a):
		// RFC 6052 section 2.2: where the address lies depends on the length of
		// the prefix that the operator has chosen in it.
		return []netip.Addr{
			last,
			netip.AddrFrom4([4]byte{b[6], b[7], b[9], b[10]}),   // /48
			netip.AddrFrom4([4]byte{b[7], b[9], b[10], b[11]}),  // /56
			netip.AddrFrom4([4]byte{b[9], b[10], b[11], b[12]}), // /64
		}
	case sixToFour.Contains(a): // RFC 3056 section 2
		return []netip.Addr{netip.AddrFrom4([4]byte(b[2:6]))}
	case teredo.Contains(a): // RFC 4380 section 4: the server, and the client inverted
		return []netip.Addr{
			netip.AddrFrom4([4]byte(b[4:8])),
			netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}),
		}
	case b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP, RFC 5214 section 6.1
		return []netip.Addr{last}
	}
	return nil
}
