package upstream

import (
	"errors"
	"net/netip"
	"strings"
)

// parseHost checks a host and brings it into its one form: addresses as
// netip prints them, IPv4 unmapped, names in lower case without a final dot.
func parseHost(s string) (string, netip.Addr, error) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !a.Is6() {
			return "", netip.Addr{}, errors.New("not an IPv6 address between the brackets")
		}
		if a.Zone() != "" {
			return "", netip.Addr{}, errors.New("an IPv6 address with a zone is no endpoint")
		}
		return checkAddr(a)
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return checkAddr(a)
	}
	name := strings.TrimSuffix(strings.ToLower(s), ".")
	if err := checkName(name); err != nil {
		return "", netip.Addr{}, err
	}
	return name, netip.Addr{}, nil
}

func checkAddr(a netip.Addr) (string, netip.Addr, error) {
	a = a.Unmap()
	if a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return "", netip.Addr{}, errors.New("the address is not one of a single host")
	}
	return a.String(), a, nil
}

// checkName accepts what RFC 1123 section 2.1 calls a host name, and
// underscores, which occur.
func checkName(s string) error {
	switch {
	case s == "":
		return errors.New("missing the host")
	case len(s) > 253:
		return errors.New("host name longer than 253 bytes")
	}
	label := ""
	for label = range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return errors.New("malformed host name: 1 to 63 characters between dots")
		}
		if label[0] == '-' || label[len(label)-1] == '-' {
			return errors.New("malformed host name: '-' at the edge of a label")
		}
		for _, c := range []byte(label) {
			switch {
			case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_':
			case c >= 0x80:
				return errors.New("write an international host name in its ASCII form (xn--...)")
			default:
				return errors.New("malformed host name: only letters, digits, '-' and '.'")
			}
		}
	}
	// The last label of a name is never a number (RFC 3696 section 2): what
	// looks like one is an address with a slip in it, which a resolver might
	// take for another address.
	if strings.Trim(label, "0123456789") == "" {
		return errors.New("not an IPv4 address")
	}
	return nil
}
