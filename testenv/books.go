package testenv

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// books is what one ISP writes down as it happens. What goes on all the time
// is counted without a lock.
type books struct {
	lost atomic.Int64 // packets that met a Cut or a portal

	mu      sync.Mutex
	tallies map[netip.AddrPort]*tally
	hits    []*Hit
	directs []Direct
	outages []Outage
	sights  []blocker.Observation
}

// tally counts what passes between an ISP and one address and port.
type tally struct {
	dials, connections atomic.Int64
	bytes              [blocker.Down + 1]atomic.Int64

	// Guarded by the books' lock.
	blocked, packets int64
	first, last      time.Time
}

func (b *books) tally(to netip.AddrPort) *tally {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tallies[to]
	if t == nil {
		if b.tallies == nil {
			b.tallies = make(map[netip.AddrPort]*tally)
		}
		t = new(tally)
		b.tallies[to] = t
	}
	return t
}

// passage is what the books know of one flow through a border.
type passage struct {
	isp            string
	client, server netip.AddrPort
	*tally
	connected, refused bool
	hit                *Hit
}

// passage books a dial.
func (i *ISP) passage(client, server netip.AddrPort) *passage {
	p := &passage{isp: i.name, client: client, server: server, tally: i.books.tally(server)}
	p.dials.Add(1)
	return p
}

// answered books that the answer to a dial came through.
func (p *passage) answered() {
	if !p.connected {
		p.connected = true
		p.connections.Add(1)
	}
}

// dropped books a packet that a rule has kept from passing.
func (b *books) dropped(f *passage, kind blocker.Kind, act blocker.Act, rule blocker.RuleID, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f.packets++
	f.last = now
	if f.first.IsZero() {
		f.first = now
	}
	if !f.connected && !f.refused {
		f.refused = true
		f.blocked++
	}
	if f.hit == nil {
		f.hit = &Hit{
			ISP: f.isp, Client: f.client, Server: f.server,
			First: now, Rule: rule, Kind: kind, Act: act, Established: f.connected,
		}
		b.hits = append(b.hits, f.hit)
	}
	f.hit.Last = now
	f.hit.Packets++
}

func (b *books) direct(isp, address string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.directs = append(b.directs, Direct{At: now, ISP: isp, Address: address})
}

// begins books the beginning of an outage, of which there is at most one of
// each kind at a time, and ends its end.
func (b *books) begins(o Outage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outages = append(b.outages, o)
}

func (b *books) ends(captive bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n := range b.outages {
		if o := &b.outages[n]; o.Captive == captive && o.Until.IsZero() {
			o.Until = now
		}
	}
}
