package policy

import (
	"log/slog"
	"net"
	"net/netip"
	"strconv"
)

// Spec says what is known of an endpoint before anything is seen of it: where
// it is, how to log in, and whose it is.
type Spec struct {
	// Host is a host name or an IP address, without brackets.
	Host string
	// Port is the TCP port, 1 to 65535.
	Port uint16
	// Addr is the address to dial. It is the zero Addr while Host is a name
	// that has not been resolved.
	Addr netip.Addr
	// User and Password are sent to the endpoint when User is not empty
	// (RFC 1929: 1 to 255 bytes each). They never appear in String or logs.
	User, Password string
	// Provider is the cloud or volunteer that the address belongs to. Empty
	// means unknown, and unknown providers are taken to differ from each other.
	Provider string
	// Region is free text for people.
	Region string
	// Owner says who runs the endpoint. Credentials may be shown to another
	// endpoint only if both carry the same owner, and it is not empty.
	Owner string
	// Weight is the endpoint's share of clients against others, 1 to 1000.
	// Zero means 1.
	Weight int
}

// Name is the host and port: the endpoint's identity within a pool, and what
// people see. It never contains credentials.
func (s Spec) Name() string {
	return net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port)))
}

// Address is what to dial: the resolved address if there is one, else the name.
func (s Spec) Address() string {
	if s.Addr.IsValid() {
		return netip.AddrPortFrom(s.Addr, s.Port).String()
	}
	return s.Name()
}

// Share is Weight with its default applied.
func (s Spec) Share() int {
	if s.Weight < 1 {
		return 1
	}
	return s.Weight
}

// String is Name, so that printing a Spec cannot leak its password.
func (s Spec) String() string { return s.Name() }

// LogValue implements [slog.LogValuer] without credentials.
func (s Spec) LogValue() slog.Value { return slog.StringValue(s.Name()) }
