package testenv

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// onKernel is the backend on Linux namespaces.
type onKernel struct {
	w   *World
	net *kernel.Network
}

func newKernel(w *World) (backend, error) {
	n, err := kernel.New(kernel.Config{Seed: w.seed, Logger: w.log})
	if err != nil {
		return nil, err
	}
	return &onKernel{w: w, net: n}, nil
}

func (k *onKernel) route(prefixes ...netip.Prefix) error { return k.net.Route(prefixes...) }

func (k *onKernel) host(addr netip.Addr) (machine, error) {
	h, err := k.net.Host(addr)
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (k *onKernel) line(uint64) lineKeeper { return noLine{} }

func (k *onKernel) close() error { return k.net.Close() }

func (k *onKernel) vantage(i *ISP) (vantage, error) {
	s := &scribe{isp: i, flows: make(map[ends]*passage)}
	v, err := k.net.Vantage(i.prefix.Addr().Next(), i.prefix, s)
	if err != nil {
		return nil, err
	}
	if d := i.config.Latency; d > 0 {
		if err := v.Delay(d); err != nil {
			k.w.omit(fmt.Sprintf("the latency of isp %s: %v", i.name, err))
		}
	}
	return &kernelVantage{Host: v.Host(), v: v, isp: i}, nil
}

// kernelVantage is an ISP's network on the kernel.
type kernelVantage struct {
	*kernel.Host
	v   *kernel.Vantage
	isp *ISP
}

func (v *kernelVantage) check(r blocker.Rule) error         { return v.v.Check(r) }
func (v *kernelVantage) enforce(set *blocker.RuleSet) error { return v.v.Rules(set) }
func (v *kernelVantage) cut(on bool) error                  { return v.v.Cut(on) }
func (v *kernelVantage) sights(on bool) error               { return v.v.Sight(on) }
func (v *kernelVantage) release() error                     { return v.v.Release() }
func (v *kernelVantage) line() lineKeeper                   { return kernelLine{v.v} }

func (v *kernelVantage) capture(p Portal, serve func(net.Conn)) error {
	return v.v.Capture(serve, p.Reset)
}

// traffic brings the books up to what the border has seen and counted.
func (v *kernelVantage) traffic() error {
	if err := v.v.Settle(); err != nil {
		return err
	}
	all, err := v.v.Traffic()
	if err != nil {
		return err
	}
	for server, t := range all {
		tally := v.isp.books.tally(server)
		tally.bytes[blocker.Up].Store(t.Up)
		tally.bytes[blocker.Down].Store(t.Down)
	}
	return nil
}

// ends are those of a flow.
type ends struct{ client, server netip.AddrPort }

// scribe writes into an ISP's books what the border tells. The border tells of no
// end of a flow, so what has not been heard of for long is forgotten: flows are
// kept in two generations, of which the older goes when the younger is full. It is
// used by the border's one goroutine only.
type scribe struct {
	isp        *ISP
	flows, old map[ends]*passage
}

// generation is how many flows are kept at least: more than a vantage can have open
// to one address and port.
const generation = 1 << 16

func (s *scribe) keep(e ends, p *passage) {
	if len(s.flows) == generation {
		s.old, s.flows = s.flows, make(map[ends]*passage)
	}
	s.flows[e] = p
}

// flow is what is known of a flow, or nil.
func (s *scribe) flow(e ends) *passage {
	if p := s.flows[e]; p != nil {
		return p
	}
	p := s.old[e]
	if p != nil {
		s.keep(e, p)
	}
	return p
}

var _ kernel.Observer = (*scribe)(nil)

// Dialled implements [kernel.Observer].
func (s *scribe) Dialled(client, server netip.AddrPort, at time.Time) {
	p := s.isp.passage(client, server)
	s.keep(ends{client, server}, p)
	if !s.isp.w.isCloudHost(server.Addr()) {
		s.isp.books.direct(s.isp.name, s.isp.w.called(server), at)
	}
}

// Answered implements [kernel.Observer].
func (s *scribe) Answered(client, server netip.AddrPort, _ time.Time) {
	if p := s.flow(ends{client, server}); p != nil {
		p.answered()
	}
}

// Taken implements [kernel.Observer].
func (s *scribe) Taken(t kernel.Taken) {
	e := ends{t.Client, t.Server}
	p := s.flow(e)
	if p == nil {
		p = s.isp.passage(t.Client, t.Server)
		s.keep(e, p)
	}
	s.isp.books.dropped(p, t.Kind, t.Act, t.Rule, t.At)
}

// Sighted implements [kernel.Observer].
func (s *scribe) Sighted(_, server netip.AddrPort, head []byte, at time.Time) {
	s.isp.books.sight(s.isp.name, server, head, at)
}

// kernelLine is what a kernel can do to packets on their way to the border.
type kernelLine struct{ v *kernel.Vantage }

func (l kernelLine) lose(up, down memnet.Loss) error {
	if up != (memnet.Loss{Share: up.Share}) || down != (memnet.Loss{Share: down.Share}) {
		return unsupported(Kernel, "loss in bursts")
	}
	return l.v.Lose(up.Share, down.Share)
}

func (l kernelLine) delay(d time.Duration) error { return l.v.Delay(d) }
func (kernelLine) jitter(time.Duration) error    { return unsupported(Kernel, "jitter") }
func (kernelLine) narrow(_, _ memnet.Queue) error {
	return unsupported(Kernel, "a bottleneck")
}

func (l kernelLine) lost() int64 {
	cut, lost, err := l.v.Lost()
	if err != nil {
		return 0 // it is closed, and its counters with it
	}
	return int64(cut + lost)
}

// noLine is the stretch behind a host on the kernel: nothing can be done there.
type noLine struct{}

func (noLine) lose(_, _ memnet.Loss) error { return unsupported(Kernel, "loss behind a host") }
func (noLine) delay(time.Duration) error   { return unsupported(Kernel, "a delay behind a host") }
func (noLine) jitter(time.Duration) error  { return unsupported(Kernel, "jitter behind a host") }
func (noLine) narrow(_, _ memnet.Queue) error {
	return unsupported(Kernel, "a bottleneck behind a host")
}
func (noLine) lost() int64 { return 0 }

var (
	_ machine = (*kernel.Host)(nil)
	_ vantage = (*kernelVantage)(nil)
)
