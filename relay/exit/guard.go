package exit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// ErrGuarded is found, with errors.Is, in the error for an address that the
// Guard refuses. It becomes reply 2.
var ErrGuarded = errors.New("address is guarded")

// Guard keeps a dialer away from addresses that are not the internet's: those
// of the IANA special-purpose registries, multicast, IPv6 addresses that
// lead to such an IPv4 address, and the machine's own. It is safe for
// concurrent use; Allow must not be changed meanwhile.
//
// A cloud machine's public address is often translated and on none of its
// interfaces. Then the machine's own services can be reached through it, as
// they can from everywhere.
type Guard struct {
	// Allow are exceptions. One for an IPv6 prefix does not extend to the IPv4
	// addresses embedded in it.
	Allow []netip.Prefix

	own ownAddrs
}

// DialContext is a net.Dialer's, behind the guard: every address that a name
// leads to is checked before the first packet goes to it.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	// An address as such is refused even where its family is not supported.
	if ap, err := netip.ParseAddrPort(address); err == nil {
		if err := g.Check(ap.Addr()); err != nil {
			return nil, err
		}
	}
	d := net.Dialer{ControlContext: g.Control}
	return d.DialContext(ctx, network, address)
}

// Control is a net.Dialer's ControlContext: it sees the address that is really
// dialled, after any name has been resolved.
func (g *Guard) Control(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGuarded, err)
	}
	return g.Check(ap.Addr())
}

// Check is nil if a may be dialled; otherwise the error says why not, and
// errors.Is finds ErrGuarded in it.
func (g *Guard) Check(a netip.Addr) error {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return fmt.Errorf("%w: no address", ErrGuarded)
	}
	if !containsAny(g.Allow, a) {
		for _, s := range special {
			if s.prefix.Contains(a) {
				return fmt.Errorf("%w: %s is %s (%s)", ErrGuarded, a, s.name, s.rfc)
			}
		}
		if g.own.contains(a) {
			return fmt.Errorf("%w: %s is this machine's own", ErrGuarded, a)
		}
	}
	for _, e := range embedded(a) {
		if err := g.Check(e); err != nil {
			return fmt.Errorf("%s leads to %s: %w", a, e, err)
		}
	}
	return nil
}
