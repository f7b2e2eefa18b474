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

// dial makes the socket in the host's namespace. It is in that namespace for
// good, so the thread goes home as soon as there is a socket, and waits for the
// connection there.
func (h *Host) dial(ctx context.Context, d *net.Dialer, to netip.AddrPort) (*net.TCPConn, error) {
	v, err := h.ns.visit(h.net.home)
	if err != nil {
		return nil, opError("dial", to, err)
	}
	d.Control = func(_, _ string, raw syscall.RawConn) error {
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
	c, err := d.DialContext(ctx, "tcp", to.String())
	if back := v.leave(); back != nil {
		if c != nil {
			_ = c.Close()
		}
		return nil, opError("dial", to, back)
	}
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

func opError(op string, to netip.AddrPort, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
}
