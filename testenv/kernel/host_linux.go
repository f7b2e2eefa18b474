package kernel

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"sync"
	"weak"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Host is a machine with one address: in the middle, or at a vantage. All
// methods are safe for concurrent use.
//
// The machine's kernel and the process on it fail apart: Abort kills the
// process, Hang stops it, Vanish takes the machine away. The process is who
// uses the connections and listeners of this Host; those that were started by
// Start are processes of their own.
type Host struct {
	net    *Network
	addr   netip.Addr
	ns     *namespace
	middle bool
	gate   gate

	mu        sync.Mutex
	gone      bool
	life      int // counts deaths of the process
	listeners map[*listener]struct{}
	conns     map[*conn]struct{}
	// plain holds connections that are handed out as they are. Nobody tells
	// when one is closed, so they are looked through as they get more.
	plain   []weak.Pointer[net.TCPConn]
	sweepAt int
	dials   map[*context.CancelCauseFunc]struct{}
}

func newHost(n *Network, addr netip.Addr, ns *namespace) *Host {
	return &Host{
		net: n, addr: addr, ns: ns,
		listeners: make(map[*listener]struct{}),
		conns:     make(map[*conn]struct{}),
		dials:     make(map[*context.CancelCauseFunc]struct{}),
	}
}

// Addr is the host's address.
func (h *Host) Addr() netip.Addr { return h.addr }

// Abort is the death of the process: its listeners close, its connections end
// with RST, and dials to it are refused. The host can be used again at once.
func (h *Host) Abort() { h.end(false) }

// Hang stops the process, as SIGSTOP does: nothing that it calls returns, while
// the kernel goes on to acknowledge what comes in, and to complete handshakes
// until the listeners' queues are full. Closing is done when it resumes. At a
// vantage there is nothing that could be held: connections there are the
// kernel's own, so it does nothing, and Network.Close says so.
func (h *Host) Hang() {
	if !h.middle {
		h.net.fail(&UnsupportedError{What: fmt.Sprintf("hang at the vantage %v", h.addr)})
		return
	}
	h.gate.shut()
}

// Resume lets a process that hangs go on.
func (h *Host) Resume() {
	for _, end := range h.gate.open() {
		end()
	}
}

// Vanish takes the machine away: nothing answers at its address any more, not
// even with an RST. For the process on it, every connection and listener is
// closed. The address can be given to another host.
func (h *Host) Vanish() {
	if h.middle {
		h.net.remove(h)
	} else if err := h.ns.do(func() error { return down(customerLink) }); err != nil {
		h.net.fail(fmt.Errorf("vanish %v: %w", h.addr, err))
	}
	h.end(true)
}

// shut is Vanish for a network that closes as a whole.
func (h *Host) shut() { h.end(true) }

func (h *Host) end(gone bool) {
	h.mu.Lock()
	h.gone = h.gone || gone
	h.life++
	listeners, conns, plain, dials := h.listeners, h.conns, h.plain, h.dials
	h.listeners = make(map[*listener]struct{})
	h.conns = make(map[*conn]struct{})
	h.dials = make(map[*context.CancelCauseFunc]struct{})
	h.plain = nil
	h.mu.Unlock()
	for l := range listeners {
		l.kill()
	}
	for cancel := range dials {
		(*cancel)(net.ErrClosed)
	}
	for c := range conns {
		c.kill()
	}
	for _, w := range plain {
		if c := w.Value(); c != nil {
			abort(c)
		}
	}
	h.Resume()
}

// abort ends a connection with RST, whatever is under way.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// Connections is the number of TCP connections that the host's kernel has, those
// included that the process has closed but that are not over for both sides,
// but not those that merely keep their port from being used (TIME_WAIT).
func (h *Host) Connections() int {
	h.mu.Lock()
	gone := h.gone
	h.mu.Unlock()
	if gone {
		return 0
	}
	count := 0
	err := h.ns.do(func() error {
		for _, f := range []uint8{unix.AF_INET, unix.AF_INET6} {
			sockets, err := netlink.SocketDiagTCP(f)
			if err != nil {
				return err
			}
			for _, s := range sockets {
				if h.counts(s) {
					count++
				}
			}
		}
		return nil
	})
	if err != nil {
		h.net.fail(fmt.Errorf("connections of %v: %w", h.addr, err))
	}
	return count
}

func (h *Host) counts(s *netlink.Socket) bool {
	if s.State == netlink.TCP_LISTEN || s.State == netlink.TCP_TIME_WAIT || s.State == netlink.TCP_CLOSE {
		return false
	}
	local, ok := netip.AddrFromSlice(s.ID.Source)
	return ok && (!h.middle || local.Unmap() == h.addr)
}

// Start starts a process on the machine: it is in its network namespace. In the
// middle that is the namespace of all hosts, so the program must be told to use
// the host's address. Abort, Hang and Vanish do not concern the process, except
// that nothing of a host that has vanished gets out or in.
func (h *Host) Start(cmd *exec.Cmd) error {
	v, err := h.ns.visit(h.net.home)
	if err != nil {
		return fmt.Errorf("kernel: start %s: %w", cmd.Path, err)
	}
	err = cmd.Start()
	if back := v.leave(); err == nil && back != nil {
		return fmt.Errorf("kernel: start %s: %w", cmd.Path, back)
	}
	return err
}

// adopt takes a connection into the process of the given life. It returns nil if
// that is over, and the connection with it.
func (h *Host) adopt(c *net.TCPConn, life int) net.Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.life != life {
		abort(c)
		return nil
	}
	if !h.middle {
		h.sweep()
		h.plain = append(h.plain, weak.Make(c))
		return c
	}
	w := &conn{tcp: c, host: h, closed: make(chan struct{})}
	h.conns[w] = struct{}{}
	return w
}

// sweep forgets what has been closed, whenever there are twice as many as there
// were after the last time.
func (h *Host) sweep() {
	if len(h.plain) < h.sweepAt {
		return
	}
	kept := h.plain[:0]
	for _, w := range h.plain {
		if c := w.Value(); c != nil && isOpen(c) {
			kept = append(kept, w)
		}
	}
	clear(h.plain[len(kept):])
	h.plain = kept
	h.sweepAt = max(64, 2*len(kept))
}

func isOpen(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	return err == nil && raw.Control(func(uintptr) {}) == nil
}

// down takes an interface of the calling thread's namespace down.
func down(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetDown(l)
}
