package testenv

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"sync"
	"sync/atomic"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// memory is the backend in memory. Its borders ask the ISPs themselves what is
// in force, so that most of what a vantage is told needs no doing.
type memory struct {
	w   *World
	net *memnet.Network

	mu           sync.Mutex
	flows, inner uint64 // how many have crossed a border, and how many have not
}

func newMemory(w *World) *memory {
	m := &memory{w: w}
	m.net = memnet.New(m.path)
	return m
}

func (m *memory) route(...netip.Prefix) error { return nil }

func (m *memory) host(addr netip.Addr) (machine, error) {
	h, err := m.net.Host(addr)
	if err != nil {
		return nil, err
	}
	return memoryMachine{h}, nil
}

func (m *memory) vantage(i *ISP) (vantage, error) {
	h, err := m.net.Host(i.prefix.Addr().Next())
	if err != nil {
		return nil, err
	}
	return &memoryVantage{memoryMachine: memoryMachine{h}, m: m, isp: i, stretch: m.line(m.w.seed ^ uint64(i.number+1)<<32)}, nil
}

func (m *memory) line(seed uint64) lineKeeper { return memoryLine{&memnet.Line{Seed: seed}} }

func (m *memory) close() error { return m.net.Close() }

// path is how packets run between two hosts: only what leaves an ISP crosses
// a border.
func (m *memory) path(from *memnet.Host, source, to netip.AddrPort) memnet.Path {
	w := m.w
	w.mu.Lock()
	defer w.mu.Unlock()
	far := w.distance(to.Addr())
	for _, i := range w.isps {
		v := i.vantage.(*memoryVantage)
		if v.Host != from {
			continue
		}
		if i.prefix.Contains(to.Addr()) {
			return memnet.Path{}
		}
		seed := w.seed ^ m.count(&m.flows)*0x9e3779b97f4a7c15
		near := v.stretch.(memoryLine).Line
		if l := v.portal.Load(); l != nil && !i.cut.Load() {
			return memnet.Path{Near: i.config.Latency, NearLine: near, Divert: l, Seed: seed}
		}
		return memnet.Path{
			Near: i.config.Latency, NearLine: near,
			Far: far, FarLine: m.lineAt(to.Addr()),
			Border: i.border(source, to, seed), Seed: seed,
		}
	}
	p := memnet.Path{
		Near: w.distance(from.Addr()), NearLine: m.lineAt(from.Addr()),
		Far: far, FarLine: m.lineAt(to.Addr()),
		Seed: ^w.seed ^ m.count(&m.inner)*0x9e3779b97f4a7c15,
	}
	if h := w.byAddr[to.Addr()]; h != nil && h.cloud == nil {
		p.Near = 0
	}
	return p
}

func (m *memory) count(n *uint64) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	*n++
	return *n
}

// lineAt is the line of the host at an address, or nil. The world's lock is
// held.
func (m *memory) lineAt(a netip.Addr) *memnet.Line {
	if h := m.w.byAddr[a]; h != nil {
		return h.line.keeper.(memoryLine).Line
	}
	return nil
}

// memoryMachine is a machine in memory.
type memoryMachine struct{ *memnet.Host }

func (h memoryMachine) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	c, err := h.Host.Dial(ctx, to)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (h memoryMachine) Listen(port uint16) (net.Listener, error) {
	return listener(h.Host.Listen(port))
}

func (h memoryMachine) ListenLoopback(port uint16) (net.Listener, error) {
	return listener(h.Host.ListenLoopback(port))
}

func listener(l *memnet.Listener, err error) (net.Listener, error) {
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (memoryMachine) Start(*exec.Cmd) error { return unsupported(Memory, "running a program") }

// memoryVantage is an ISP's network in memory.
type memoryVantage struct {
	memoryMachine
	m       *memory
	isp     *ISP
	stretch lineKeeper

	portal atomic.Pointer[memnet.Listener]
	gate   *memnet.Host // guarded by the ISP's lock
}

func (v *memoryVantage) check(blocker.Rule) error       { return nil }
func (v *memoryVantage) enforce(*blocker.RuleSet) error { return nil }
func (v *memoryVantage) cut(bool) error                 { return nil }
func (v *memoryVantage) sights(bool) error              { return nil }
func (v *memoryVantage) traffic() error                 { return nil }
func (v *memoryVantage) line() lineKeeper               { return v.stretch }

func (v *memoryVantage) capture(_ Portal, serve func(net.Conn)) error {
	a := v.isp.prefix.Addr().As4()
	a[3] = 254
	gate, err := v.m.net.Host(netip.AddrFrom4(a))
	if err != nil {
		return err
	}
	l, err := gate.Listen(80)
	if err != nil {
		gate.Vanish()
		return err
	}
	if !v.m.w.serve(func() { acceptAll(l, serve) }) {
		gate.Vanish()
		return ErrClosed
	}
	v.gate = gate
	v.portal.Store(l)
	return nil
}

func (v *memoryVantage) release() error {
	v.portal.Store(nil)
	v.gate.Abort()
	v.gate.Vanish()
	return nil
}

// acceptAll serves connections, one goroutine each, until l is closed, and
// waits for them.
func acceptAll(l net.Listener, serve func(net.Conn)) {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		serving.Go(func() { serve(c) })
	}
}
