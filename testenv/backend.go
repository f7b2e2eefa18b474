package testenv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// Backend is what a world's packets run on.
type Backend uint8

const (
	// Chosen is what the environment variable PAPERPLANE_WORLD says, "memory" or
	// "kernel", and Memory if it is not set.
	Chosen Backend = iota
	// Memory is package memnet: no privileges, any system, real or virtual time,
	// everything that a world can do.
	Memory
	// Kernel is package kernel: Linux network namespaces, with nftables doing the
	// blocking. It needs real time, and the right to make namespaces (see
	// kernel.Supported and kernel.Main). Programs in any language can run in it
	// (see ISP.Start and Host.Run). What it cannot do fails, by an error that
	// is errors.ErrUnsupported: of what is called if that returns one, of
	// [World.Close] else. Only latencies are left out: see [World.Omitted].
	Kernel
)

// Variable is the environment variable that Chosen goes by.
const Variable = "PAPERPLANE_WORLD"

// String is the name that ParseBackend takes.
func (b Backend) String() string {
	switch b {
	case Chosen:
		return "chosen"
	case Memory:
		return "memory"
	case Kernel:
		return "kernel"
	}
	return "backend?"
}

// ParseBackend returns the backend of a name, "memory" or "kernel"; the empty
// name is memory's.
func ParseBackend(name string) (Backend, error) {
	switch cmp.Or(name, "memory") {
	case "memory":
		return Memory, nil
	case "kernel":
		return Kernel, nil
	}
	return Chosen, fmt.Errorf("testenv: %q is no backend: memory or kernel", name)
}

// choose is the backend that Chosen stands for.
func (b Backend) choose() (Backend, error) {
	if b != Chosen {
		return b, nil
	}
	b, err := ParseBackend(os.Getenv(Variable))
	if err != nil {
		return b, fmt.Errorf("%s: %w", Variable, err)
	}
	return b, nil
}

// backend is what a world is built on.
type backend interface {
	// route tells of addresses at which machines can be.
	route(prefixes ...netip.Prefix) error
	// host makes the machine at an address of a route.
	host(netip.Addr) (machine, error)
	// vantage makes an ISP's network, and the machine in it.
	vantage(*ISP) (vantage, error)
	// line is what the stretch behind a host does to packets.
	line(seed uint64) lineKeeper
	close() error
}

// machine is a machine with one address, as its kernel would have it: see
// memnet.Host.
type machine interface {
	Addr() netip.Addr
	Dial(context.Context, netip.AddrPort) (net.Conn, error)
	Listen(port uint16) (net.Listener, error)
	ListenLoopback(port uint16) (net.Listener, error)
	Abort()
	Hang()
	Resume()
	Vanish()
	Connections() int
	// Start starts a program there.
	Start(*exec.Cmd) error
}

// vantage is an ISP's network up to its border.
type vantage interface {
	machine
	// check says whether the border can do what a rule asks.
	check(blocker.Rule) error
	// enforce puts rules in force. They have been checked.
	enforce(*blocker.RuleSet) error
	cut(on bool) error
	// capture has serve answer everything that would cross the border, until
	// release.
	capture(p Portal, serve func(net.Conn)) error
	release() error
	// sights has the first bytes of flows noted for strategies.
	sights(on bool) error
	// traffic brings the tallies up to now, if that is not done as it happens.
	traffic() error
	// line is what the network in front of the border does to packets.
	line() lineKeeper
}

// lineKeeper carries out what a Line says.
type lineKeeper interface {
	lose(up, down memnet.Loss) error
	delay(time.Duration) error
	jitter(time.Duration) error
	narrow(up, down memnet.Queue) error
	lost() int64
}

// Omitted says, in a sentence each, what the backend leaves out of what the world
// was asked for and goes on without: on a kernel the latencies of clouds and
// destinations, and those of ISPs where it has no netem. Round trips are next to
// nothing then. In memory nothing is left out.
func (w *World) Omitted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.omitted)
}

func (w *World) omit(what string) {
	w.log.Debug("left out", "what", what)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.omitted = append(w.omitted, what)
}

// far notes a latency beyond the border that the backend cannot give.
func (w *World) far(what string, d time.Duration) {
	if d > 0 && w.backend == Kernel {
		w.omit(what + ": it can be had in front of a border only")
	}
}

// trouble notes what went wrong behind a call that returns no error. Close
// returns it.
func (w *World) trouble(err error) {
	if err == nil || errors.Is(err, net.ErrClosed) {
		return
	}
	w.log.Error("the world could not do it", "err", err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.troubles = append(w.troubles, err)
}

// unsupported is what a backend cannot do.
func unsupported(b Backend, what string) error {
	return fmt.Errorf("testenv: %s: %w in a %v world", what, errors.ErrUnsupported, b)
}
