package policy

import "net/netip"

// Neighbourhood is the block of addresses around a that is likely to share its
// fate: the /16 in IPv4, the /32 in IPv6. Those are the sizes in which whole
// clouds were listed in April 2018, and in which registries hand out addresses.
// It is the zero Prefix for an address that is not valid.
func Neighbourhood(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 16
	if a.Is6() {
		bits = 32
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
