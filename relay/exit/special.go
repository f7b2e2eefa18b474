package exit

import "net/netip"

// special are the prefixes of IANA's special-purpose address registries, as
// far as they are not decoded instead (see embedded), and multicast. Those that
// the registries call globally reachable (AS112, AMT) are in it too: they are
// anycast services of the network that one is in, not destinations.
var special = []struct {
	prefix    netip.Prefix
	name, rfc string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network", "RFC 791"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private", "RFC 1918"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared by carriers", "RFC 6598"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback", "RFC 1122"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local", "RFC 3927"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private", "RFC 1918"},
	{netip.MustParsePrefix("192.0.0.0/24"), "for protocols", "RFC 6890"},
	{netip.MustParsePrefix("192.0.2.0/24"), "for documentation", "RFC 5737"},
	{netip.MustParsePrefix("192.31.196.0/24"), "AS112", "RFC 7535"},
	{netip.MustParsePrefix("192.52.193.0/24"), "AMT", "RFC 7450"},
	{netip.MustParsePrefix("192.88.99.0/24"), "a 6to4 relay", "RFC 7526"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private", "RFC 1918"},
	{netip.MustParsePrefix("192.175.48.0/24"), "AS112", "RFC 7534"},
	{netip.MustParsePrefix("198.18.0.0/15"), "for benchmarks", "RFC 2544"},
	{netip.MustParsePrefix("198.51.100.0/24"), "for documentation", "RFC 5737"},
	{netip.MustParsePrefix("203.0.113.0/24"), "for documentation", "RFC 5737"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast", "RFC 5771"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved", "RFC 1112"},

	// ::/96 holds ::, ::1 and the IPv4-compatible addresses.
	{netip.MustParsePrefix("::/96"), "unspecified, loopback or IPv4-compatible", "RFC 4291"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "for local translation", "RFC 8215"},
	{netip.MustParsePrefix("100::/64"), "discard-only", "RFC 6666"},
	{netip.MustParsePrefix("100:0:0:1::/64"), "a dummy prefix", "RFC 9780"},
	{netip.MustParsePrefix("2001::/23"), "for protocols, Teredo among them", "RFC 2928"},
	{netip.MustParsePrefix("2001:db8::/32"), "for documentation", "RFC 3849"},
	{netip.MustParsePrefix("2002::/16"), "6to4", "RFC 3056"},
	{netip.MustParsePrefix("2620:4f:8000::/48"), "AS112", "RFC 7534"},
	{netip.MustParsePrefix("3fff::/20"), "for documentation", "RFC 9637"},
	{netip.MustParsePrefix("5f00::/16"), "segment routing", "RFC 9602"},
	{netip.MustParsePrefix("fc00::/7"), "private", "RFC 4193"},
	{netip.MustParsePrefix("fe80::/10"), "link-local", "RFC 4291"},
	{netip.MustParsePrefix("fec0::/10"), "site-local", "RFC 3879"},
	{netip.MustParsePrefix("ff00::/8"), "multicast", "RFC 4291"},
}
