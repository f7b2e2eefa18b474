package kernel

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// program is how a rule is carried out. Each family and side has one nftables
// rule with the conditions; what takes more than a verdict is in a chain that it
// leads to.
type program struct {
	rule  blocker.Rule
	terms blocker.Terms
	seed  uint32
}

// alike reports whether the sets of one can go on to serve the other: they keep
// what flows have done.
func (p program) alike(o program) bool {
	return p.terms == o.terms && p.rule.When.Dir == o.rule.When.Dir && slices.Equal(p.rule.When.Ports, o.rule.When.Ports)
}

// prepare makes what a rule needs, besides its addresses, before it is written.
func (p program) prepare(b *nft.Batch, l *laid) {
	if len(p.rule.When.Ports) > 1 {
		l.set(b, nft.Set{Name: l.name("ports"), Fields: []int{2}})
		ports := slices.Compact(slices.Sorted(slices.Values(p.rule.When.Ports)))
		all := make([]nft.Element, len(ports))
		for i, port := range ports {
			all[i].Key = portKey(port)
		}
		b.Add(l.name("ports"), all...)
	}
	switch p.terms.Deed {
	case blocker.Freezes:
		p.prepareFreeze(b, l)
	case blocker.Polices:
		p.preparePolice(b, l)
	default:
		return
	}
	for _, s := range sides {
		l.chains = append(l.chains, l.name(s.chain))
		b.Chain(l.name(s.chain), nil)
	}
}

func (l *laid) set(b *nft.Batch, s nft.Set) {
	l.sets = append(l.sets, s.Name)
	b.Set(s)
}

func portKey(p uint16) []byte { return binary.BigEndian.AppendUint16(nil, p) }

// write makes the rules of one side.
func (p program) write(b *nft.Batch, l *laid, s side) {
	chain := l.name(s.chain)
	switch p.terms.Deed {
	case blocker.Freezes:
		b.Flush(chain)
		p.writeFreeze(b, l, s)
	case blocker.Polices:
		b.Flush(chain)
		p.writePolice(b, l, s)
	default:
	}
	for _, when := range p.conditions(l, s) {
		switch p.terms.Deed {
		case blocker.Resets:
			b.Rule(s.rules, when, nft.TCP(), taken(l, blocker.Forge, s), nft.Reset())
		case blocker.Rejects:
			b.Rule(s.rules, when, taken(l, blocker.Refuse, s), nft.Unreachable())
		case blocker.Drops:
			b.Rule(s.rules, when, taken(l, blocker.Discard, s), nft.Drop())
		default:
			b.Rule(s.rules, when, nft.TCP(), nft.Jump(chain))
		}
	}
}

// conditions hold for the packets that the rule is about: each for a part of them.
func (p program) conditions(l *laid, s side) (all []nft.Expr) {
	for _, f := range families {
		for _, set := range l.list.lookups(f) {
			all = append(all, p.condition(l, f, s, set))
		}
	}
	return all
}

func (p program) condition(l *laid, f family, s side, set string) nft.Expr {
	address, port := f.server(s.dir)
	all := []nft.Expr{f.is()}
	if set != "" {
		all = append(all, nft.Network(address, f.length, nft.R(0)), nft.In(set, nft.R(0)))
	}
	switch ports := p.rule.When.Ports; len(ports) {
	case 0:
	case 1:
		all = append(all, nft.TCP(), nft.Transport(port, 2, nft.R(0)), nft.Is(nft.R(0), portKey(ports[0])...))
	default:
		all = append(all, nft.TCP(), nft.Transport(port, 2, nft.R(0)), nft.In(l.name("ports"), nft.R(0)))
	}
	if share := p.rule.When.Probability; share > 0 && share < 1 {
		load, length := flowKey(f, s)
		all = append(all, nft.TCP(), load, nft.Hash(nft.R(0), length, nft.R(0), chances, p.seed), chance(nft.R(0), share))
	}
	return nft.All(all...)
}

// flowKey loads who talks to whom from the first register on, the same in both
// directions: client, server, and their ports, in length bytes.
func flowKey(f family, s side) (load nft.Expr, length int) {
	client, clientPort := f.client(s.dir)
	server, serverPort := f.server(s.dir)
	n := f.length / 4
	return nft.All(
		nft.Network(client, f.length, nft.R(0)), nft.Network(server, f.length, nft.R(n)),
		nft.Transport(clientPort, 2, nft.R(2*n)), nft.Transport(serverPort, 2, nft.R(2*n+1)),
	), 2*f.length + 8
}

// flowFields is a flow key as sets have it.
func flowFields(f family) []int { return []int{f.length, f.length, 2, 2} }

// flowMemory is how long a flow that says nothing is remembered by what it has
// spent or used up, and maxFlows how many are, for each rule.
const (
	flowMemory = 12 * time.Hour
	maxFlows   = 1 << 20
)

// How a policer counts: what the kernel limits are whole packets, so the rate
// is raised by the share that headers have in full segments.
const (
	segmentMTU = 1500
	// timestamps is the length of the TCP option that every segment of Linux
	// carries, padded.
	timestamps = 12
	maxRate    = 1 << 31
)

func headers(f family) int { return f.header + 20 + timestamps }

// preparePolice makes a token bucket for each flow and side.
func (p program) preparePolice(b *nft.Batch, l *laid) {
	for _, f := range families {
		for _, s := range sides {
			l.set(b, nft.Set{
				Name: l.policeSet(f, s), Fields: flowFields(f),
				Dynamic: true, Size: maxFlows, Timeout: flowMemory,
			})
		}
	}
}

func (l *laid) policeSet(f family, s side) string {
	return l.name("buckets") + "-" + s.dir.String() + f.name
}

// writePolice drops packets with payload that exceed the rate.
func (p program) writePolice(b *nft.Batch, l *laid, s side) {
	for _, f := range families {
		load, _ := flowKey(f, s)
		b.Rule(l.name(s.chain), f.is(), carries(f), load,
			nft.Note(l.policeSet(f, s), nft.R(0), p.overRate(f)),
			taken(l, blocker.Discard, s), nft.Drop())
	}
}

// overRate is the limit. The kernel's bucket holds what comes in within the unit of
// its rate, a second at least, and the burst on top: so a rate of more than 16 KiB/s
// has a bucket of a second's worth, where Police says half. A small rate has a longer
// unit, as it is a whole number.
func (p program) overRate(f family) nft.Expr {
	full := float64(segmentMTU) / float64(segmentMTU-headers(f))
	rate, unit := p.terms.Rate*full, time.Second
	for rate < 100 && unit < 24*time.Hour {
		rate *= 60
		unit *= 60
	}
	whole := max(uint64(rate), 1)
	return nft.OverBytes(whole, unit, uint32(max(p.terms.Burst*full-float64(whole), 0)))
}
