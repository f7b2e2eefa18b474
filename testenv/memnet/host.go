package memnet

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// Host is a machine with one address. All methods are safe for concurrent use.
//
// The machine's kernel and the process on it fail apart: Abort kills the
// process, Hang stops it, Vanish takes the machine away.
type Host struct {
	net  *Network
	addr netip.Addr
	hung atomic.Bool
	gone atomic.Bool

	mu        sync.Mutex
	listeners map[uint16]*Listener
	links     map[*link]struct{}
	lastPort  uint16
}

// The ports that dials go out from, as Linux has them by default.
const firstEphemeral, lastEphemeral = 32768, 60999

func newHost(n *Network, addr netip.Addr) *Host {
	return &Host{
		net: n, addr: addr, lastPort: lastEphemeral,
		listeners: make(map[uint16]*Listener),
		links:     make(map[*link]struct{}),
	}
}

// Addr is the host's address.
func (h *Host) Addr() netip.Addr { return h.addr }

// Abort is the death of the process: its listeners close, its connections end
// with RST, and dials to it are refused. The host can be used again at once.
func (h *Host) Abort() {
	h.closeListeners()
	for _, l := range h.connections() {
		l.abort(h)
	}
	h.hung.Store(false)
}

// Hang stops the process, as SIGSTOP does: nothing that it calls returns, while
// the kernel goes on to acknowledge what comes in, and to complete handshakes
// until the listeners' queues are full. Closing is done when it resumes.
func (h *Host) Hang() { h.hung.Store(true) }

// Resume lets a process that hangs go on.
func (h *Host) Resume() {
	if !h.hung.Swap(false) {
		return
	}
	h.mu.Lock()
	listeners := make([]*Listener, 0, len(h.listeners))
	for _, l := range h.listeners {
		listeners = append(listeners, l)
	}
	h.mu.Unlock()
	for _, l := range listeners {
		l.ready.Broadcast()
	}
	for _, l := range h.connections() {
		l.resume(h)
	}
}

// Vanish takes the machine away: nothing answers at its address any more, not
// even with an RST. For the process on it, every connection and listener is
// closed. The address can be given to another host.
func (h *Host) Vanish() {
	h.gone.Store(true)
	h.closeListeners()
	for _, l := range h.connections() {
		l.forget(h)
	}
	h.hung.Store(false)
	h.net.remove(h)
}

// Connections is the number of connections that the host's kernel still has,
// those included that the process has closed but that have data to deliver.
func (h *Host) Connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.links)
}

func (h *Host) closeListeners() {
	h.mu.Lock()
	listeners := h.listeners
	h.listeners = make(map[uint16]*Listener)
	h.mu.Unlock()
	for _, l := range listeners {
		l.shut()
	}
}

func (h *Host) connections() []*link {
	h.mu.Lock()
	defer h.mu.Unlock()
	links := make([]*link, 0, len(h.links))
	for l := range h.links {
		links = append(links, l)
	}
	return links
}

func (h *Host) attach(l *link) {
	h.mu.Lock()
	h.links[l] = struct{}{}
	h.mu.Unlock()
}

func (h *Host) detach(l *link) {
	h.mu.Lock()
	delete(h.links, l)
	h.mu.Unlock()
}

// ephemeral is the next port to dial from. A port may come round again while
// an old connection still has it: nothing here is told apart by ports.
func (h *Host) ephemeral() uint16 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lastPort++; h.lastPort > lastEphemeral {
		h.lastPort = firstEphemeral
	}
	return h.lastPort
}

func (h *Host) listener(port uint16) *Listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.listeners[port]
}
