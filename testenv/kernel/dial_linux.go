package kernel

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Dial connects to an address, as a program on this host would. At a vantage
// the connection is a [*net.TCPConn]; in the middle it has all methods of one
// but those that hand it over to the kernel to copy. Errors are those of
// [net.Dialer]: ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT, or the context's. Who
// dials in the middle dials from the host's address, and cannot dial its
// loopback.
func (h *Host) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if h.middle && to.Addr().IsLoopback() {
		return nil, opError("dial", to, &UnsupportedError{What: "loopback of a host in the middle"})
	}
	h.mu.Lock()
	if h.gone {
		h.mu.Unlock()
		return nil, opError("dial", to, os.NewSyscallError("connect", syscall.ENETDOWN))
	}
	life := h.life
	ctx, cancel := context.WithCancelCause(ctx)
	h.dials[&cancel] = struct{}{}
	h.mu.Unlock()
	defer func() {
		cancel(nil)
		h.mu.Lock()
		delete(h.dials, &cancel)
		h.mu.Unlock()
	}()

	var d net.Dialer
	if h.middle {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(h.addr, 0))
	}
	c, err := h.dial(ctx, &d, to)
	h.gate.pass(ctx.Done())
	if errors.Is(context.Cause(ctx), net.ErrClosed) {
		if c != nil {
			abort(c)
		}
		return nil, opError("dial", to, net.ErrClosed)
	}
	if err != nil {
		return nil, err
	}
	if a := h.adopt(c, life); a != nil {
		return a, nil
	}
	return nil, opError("dial", to, net.ErrClosed)
}

// dial connects, and once more as [net.Dialer] does: if the kernel has chosen a
// port that is no use. See dialOnce.
func (h *Host) dial(ctx context.Context, d *net.Dialer, to netip.AddrPort) (*net.TCPConn, error) {
	for i := 0; ; i++ {
		c, again, err := h.dialOnce(ctx, d, to)
		if !again || i == 2 {
			return c, err
		}
	}
}

// dialOnce makes the socket in the host's namespace. It is in that namespace for
// good, so the thread goes home as soon as there is a socket, and waits for the
// connection there. A second socket, which the dialer makes when no port was free
// or the connection was one with itself, would be at home: it is refused, and again
// says so.
func (h *Host) dialOnce(ctx context.Context, d *net.Dialer, to netip.AddrPort) (c *net.TCPConn, again bool, err error) {
	v, err := h.ns.visit(h.net.home)
	if err != nil {
		return nil, false, opError("dial", to, err)
	}
	d.SetMultipathTCP(false) // which would fall back to a second socket
	d.Control = func(_, _ string, raw syscall.RawConn) error {
		if v.left() {
			again = true
			return os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)
		}
		if d.LocalAddr == nil {
			return v.leave()
		}
		// The port is chosen when the other end is known: it may be in use
		// towards others.
		var late error
		err := raw.Control(func(fd uintptr) {
			late = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		})
		return errors.Join(v.leave(), err, late)
	}
	conn, err := d.DialContext(ctx, "tcp", to.String())
	if back := v.leave(); back != nil {
		if conn != nil {
			_ = conn.Close()
		}
		return nil, false, opError("dial", to, back)
	}
	if err != nil {
		return nil, again, err
	}
	return conn.(*net.TCPConn), false, nil
}

func opError(op string, to netip.AddrPort, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
}
