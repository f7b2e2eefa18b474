package kernel

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listener is a port of a host.
type listener struct {
	tcp    *net.TCPListener
	host   *Host
	life   int
	addr   *net.TCPAddr
	once   sync.Once
	closed chan struct{}
}

// Listen announces on a port of the host; port 0 chooses one. At a vantage it
// accepts connections to its loopback addresses too.
func (h *Host) Listen(port uint16) (net.Listener, error) {
	bind := netip.AddrPortFrom(h.addr, port)
	if !h.middle {
		bind = netip.AddrPortFrom(netip.IPv6Unspecified(), port)
	}
	return h.listen(bind, h.addr)
}

// ListenLoopback announces on a port that can be reached from the host itself
// only, at 127.0.0.1. Hosts in the middle have no loopback of their own.
func (h *Host) ListenLoopback(port uint16) (net.Listener, error) {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	bind := netip.AddrPortFrom(loopback, port)
	if h.middle {
		return nil, opError("listen", bind, &UnsupportedError{What: "loopback of a host in the middle"})
	}
	return h.listen(bind, loopback)
}

func (h *Host) listen(bind netip.AddrPort, shown netip.Addr) (net.Listener, error) {
	h.mu.Lock()
	life, gone := h.life, h.gone
	h.mu.Unlock()
	if gone {
		return nil, opError("listen", bind, os.NewSyscallError("bind", syscall.ENETDOWN))
	}
	v, err := h.ns.visit(h.net.home)
	if err != nil {
		return nil, opError("listen", bind, err)
	}
	network := "tcp"
	c := net.ListenConfig{Control: func(string, string, syscall.RawConn) error { return v.leave() }}
	if bind.Addr() == netip.IPv6Unspecified() {
		// For both families. Package net would ask this process's own namespace
		// whether there is IPv6.
		network = "tcp6"
		c.Control = func(_, _ string, raw syscall.RawConn) error {
			var late error
			err := raw.Control(func(fd uintptr) {
				late = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_V6ONLY, 0)
			})
			return errors.Join(v.leave(), err, late)
		}
	}
	// A listener for MPTCP would accept connections that are none of TCP.
	c.SetMultipathTCP(false)
	l, err := c.Listen(context.Background(), network, bind.String())
	if back := v.leave(); back != nil {
		if l != nil {
			_ = l.Close()
		}
		return nil, opError("listen", bind, back)
	}
	if err != nil {
		return nil, err
	}
	tcp := l.(*net.TCPListener)
	port := tcp.Addr().(*net.TCPAddr).AddrPort().Port()
	n := &listener{
		tcp: tcp, host: h, life: life, closed: make(chan struct{}),
		addr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(shown, port)),
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.life != life {
		_ = tcp.Close()
		return nil, opError("listen", bind, net.ErrClosed)
	}
	h.listeners[n] = struct{}{}
	return n, nil
}

// Accept waits for the next connection. After Close its error is [net.ErrClosed].
func (l *listener) Accept() (net.Conn, error) {
	l.host.gate.pass(l.closed)
	c, err := l.tcp.AcceptTCP()
	l.host.gate.pass(l.closed)
	select {
	case <-l.closed:
		if c != nil {
			abort(c)
		}
		return nil, l.error("accept")
	default:
	}
	if err != nil {
		return nil, err
	}
	if a := l.host.adopt(c, l.life); a != nil {
		return a, nil
	}
	return nil, l.error("accept")
}

// Addr is the address and port, a *net.TCPAddr.
func (l *listener) Addr() net.Addr { return l.addr }

// Close stops listening. Connections that nobody has accepted end with RST.
func (l *listener) Close() error {
	err := l.error("close")
	l.once.Do(func() {
		close(l.closed)
		l.host.mu.Lock()
		delete(l.host.listeners, l)
		l.host.mu.Unlock()
		if l.host.gate.putOff(func() { _ = l.tcp.Close() }) {
			err = l.tcp.SetDeadline(time.Unix(1, 0)) // wakes who accepts
			return
		}
		err = l.tcp.Close()
	})
	return err
}

// kill closes at once.
func (l *listener) kill() {
	l.once.Do(func() { close(l.closed) })
	if err := l.tcp.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		l.host.net.fail(err)
	}
}

func (l *listener) error(op string) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
}
