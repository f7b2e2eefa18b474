package memnet

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// backlog is how many connections wait to be accepted before further
// handshakes go unanswered (net.core.somaxconn).
const backlog = 4096

// Listener accepts connections to one port of a host. It implements
// [net.Listener].
type Listener struct {
	host *Host
	addr netip.AddrPort

	mu     sync.Mutex
	ready  sync.Cond
	queue  []*Conn
	closed bool
}

var _ net.Listener = (*Listener)(nil)

// Listen announces on a port of the host; port 0 chooses one. It accepts
// connections to the host's address, and from the host itself to a loopback
// address as well.
func (h *Host) Listen(port uint16) (*Listener, error) {
	return h.listen(netip.AddrPortFrom(h.addr, port))
}

// ListenLoopback announces on a port that can be reached from the host itself
// only, at 127.0.0.1.
func (h *Host) ListenLoopback(port uint16) (*Listener, error) {
	return h.listen(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
}

func (h *Host) listen(addr netip.AddrPort) (*Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone.Load() {
		return nil, opError("listen", netip.AddrPort{}, addr, syscall.ENETDOWN)
	}
	port := addr.Port()
	for p := uint16(firstEphemeral); port == 0; p++ {
		if h.listeners[p] == nil {
			port = p
		}
	}
	if h.listeners[port] != nil {
		return nil, opError("listen", netip.AddrPort{}, addr, syscall.EADDRINUSE)
	}
	l := &Listener{host: h, addr: netip.AddrPortFrom(addr.Addr(), port)}
	l.ready.L = &l.mu
	h.listeners[port] = l
	return l, nil
}

// Accept waits for the next connection. After Close its error is [net.ErrClosed].
func (l *Listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.closed:
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
		case len(l.queue) > 0 && !l.host.hung.Load():
			c := l.queue[0]
			l.queue[0] = nil
			if l.queue = l.queue[1:]; len(l.queue) == 0 {
				l.queue = nil
			}
			return c, nil
		}
		l.ready.Wait()
	}
}

// Close stops listening. Connections that nobody has accepted end with RST.
func (l *Listener) Close() error {
	l.host.mu.Lock()
	if l.host.listeners[l.addr.Port()] == l {
		delete(l.host.listeners, l.addr.Port())
	}
	l.host.mu.Unlock()
	if !l.shut() {
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
	return nil
}

// Addr is the address and port, a *net.TCPAddr.
func (l *Listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }

// shut closes without leaving the host's table. It reports whether it was open.
func (l *Listener) shut() bool {
	l.mu.Lock()
	was := !l.closed
	l.closed = true
	queue := l.queue
	l.queue = nil
	l.ready.Broadcast()
	l.mu.Unlock()
	for _, c := range queue {
		c.l.abort(l.host)
	}
	return was
}

func (l *Listener) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) >= backlog
}

// offer queues a connection whose handshake is complete, and reports whether
// the listener still wants it.
func (l *Listener) offer(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.queue = append(l.queue, c)
	l.ready.Signal()
	return true
}
