package testenv

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os/exec"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Host is a machine with one address, and the process on it. The process and
// the machine fail apart: Stop, Start and Hang are the process's, Vanish and
// Release the machine's.
type Host struct {
	w        *World
	cloud    *Cloud // nil: a destination
	name     string
	addr     netip.Addr
	latency  time.Duration
	endpoint bool
	spec     policy.Spec
	ordered  time.Time
	line     Line

	mu       sync.Mutex
	mem      machine // nil: not booted yet, or gone
	services []*service
	up       bool
	gone     bool
	released time.Time // guarded by the world's lock
}

// Addr is the machine's address.
func (h *Host) Addr() netip.Addr { return h.addr }

// Name is a destination's name; any other host's is its address.
func (h *Host) Name() string { return h.name }

// Spec is what a pool needs to know of an endpoint, credentials included.
func (h *Host) Spec() policy.Spec { return h.spec }

// Line is the stretch between the machine and the middle of the net, beyond any
// blocker: make it lose, or longer, unsteady, narrow. Whoever dials this host
// sends up, it answers down; of its own dials, up is from here. A host whose
// Line has a Delay of a second is slow but alive.
func (h *Host) Line() *Line { return &h.line }

// URL is the same as people write it: "socks5://user:pass@52.58.4.7:1080".
func (h *Host) URL() string {
	u := url.URL{Scheme: "socks5", Host: h.spec.Name()}
	if h.spec.User != "" {
		u.User = url.UserPassword(h.spec.User, h.spec.Password)
	}
	return u.String()
}

// Listen announces on a port. A listener of one's own does not come back after
// Stop: for that, use Serve.
func (h *Host) Listen(port uint16) (net.Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mem == nil {
		return nil, ErrClosed
	}
	return h.mem.Listen(port)
}

// DialContext connects from this host to an address, or to a destination's
// name, without crossing any ISP's border. The network must be "tcp", "tcp4" or
// "tcp6".
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	h.mu.Lock()
	mem := h.mem
	h.mu.Unlock()
	if mem == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.ErrClosed}
	}
	to, err := h.w.resolve(network, address)
	if err != nil {
		return nil, err
	}
	return mem.Dial(ctx, to)
}

// Start starts the process again after Stop or Hang, with the services that
// Launch or Serve has given it. It does nothing on a machine that is gone.
func (h *Host) Start() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mem == nil {
		return ErrClosed
	}
	h.mem.Resume()
	if h.up {
		return nil
	}
	h.up = true
	for _, s := range h.services {
		if err := h.run(s); err != nil {
			return err
		}
	}
	return nil
}

// Stop kills the process: its connections end with RST, and dials are refused.
// It waits for the services to end.
func (h *Host) Stop() {
	h.mu.Lock()
	if h.mem != nil {
		h.mem.Abort()
	}
	h.up = false
	ending := h.ending()
	h.mu.Unlock()
	halt(ending)
}

// Hang stops the process as SIGSTOP does: handshakes are completed and data is
// acknowledged by the kernel, and nothing is answered. Start ends it.
func (h *Host) Hang() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mem != nil {
		h.mem.Hang()
	}
}

// Vanish takes the machine away for good: its address falls silent. It goes on
// costing money until it is released.
func (h *Host) Vanish() {
	h.mu.Lock()
	mem := h.mem
	h.mem, h.up, h.gone = nil, false, true
	ending := h.ending()
	h.mu.Unlock()
	if mem != nil {
		mem.Vanish()
	}
	halt(ending)
}

// Release gives the machine and its address back to the cloud.
func (h *Host) Release() {
	h.Vanish()
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if !h.released.IsZero() {
		return
	}
	h.released = time.Now()
	delete(h.w.taken, h.addr)
}

// Connections is the number of TCP connections that the machine's kernel has.
func (h *Host) Connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mem == nil {
		return 0
	}
	return h.mem.Connections()
}

// boot is the moment at which a machine begins to answer.
func (h *Host) boot() error {
	h.w.mu.Lock()
	closed := h.w.closed
	h.w.mu.Unlock()
	h.mu.Lock()
	if closed || h.gone {
		h.mu.Unlock()
		return ErrClosed
	}
	mem, err := h.w.on.host(h.addr)
	if err != nil {
		h.mu.Unlock()
		return fmt.Errorf("boot %v: %w", h.addr, err)
	}
	h.mem = mem
	h.mu.Unlock()
	h.w.log.Debug("host is up", "addr", h.addr)
	return h.Start()
}

func (w *World) add(h *Host) {
	h.line = Line{w, w.on.line(^w.seed ^ uint64(len(w.hosts)+1)<<32)}
	w.hosts = append(w.hosts, h)
	w.byAddr[h.addr] = h
}

// Run starts a program on the machine, as cmd.Start does, beside what Serve and
// Launch run there. It must bind its listeners to the machine's address, Addr:
// machines share what is beneath. Stop, Start and Hang do not concern it, Vanish
// silences its address. Backend Kernel only.
func (h *Host) Run(cmd *exec.Cmd) error {
	h.mu.Lock()
	mem := h.mem
	h.mu.Unlock()
	if mem == nil {
		return ErrClosed
	}
	return mem.Start(cmd)
}
