package testenv

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Ledger is the truth of what has happened so far, as a copy.
type Ledger struct {
	// At is when it was taken.
	At time.Time
	// Paths tells what passed between each ISP and each address and port that
	// was dialled from there, ordered by ISP and address.
	Paths []Path
	// Hits are the flows of which rules have taken packets, in the order of
	// their first loss within each ISP.
	Hits []Hit
	// Directs are dials from an ISP to something that is no cloud host: a
	// destination, in the open, or a name that a program tried to resolve
	// itself.
	Directs []Direct
	// Outages are the times for which an ISP was cut off, and Lost the packets
	// that were lost to them, and the segments that were lost to lines.
	Outages []Outage
	Lost    int64
	// Addresses is how many IPv4 addresses are under a rule now, at any ISP,
	// each counted once. Tenants are those who live there.
	Addresses uint64
	Tenants   []Tenant
	// TenantsAt and AddressesAt tell the same for each ISP by its name.
	TenantsAt   map[string]int
	AddressesAt map[string]uint64
	// Burns are the endpoints lost to rules, one for each endpoint and ISP,
	// in the order of time.
	Burns []Burn
	// Spent is what the endpoints have cost.
	Spent float64
}

// Path is what has passed between an ISP and one address and port.
type Path struct {
	ISP    string
	Server netip.AddrPort
	// Dials counts attempts, Connections those to which an answer came through,
	// Blocked those which a rule has kept from that.
	Dials, Connections, Blocked int64
	// Up and Down are payload bytes that passed the border, retransmissions
	// included.
	Up, Down int64
	// Dropped counts packets that rules have taken; FirstDropped and
	// LastDropped tell when, and are zero if none was.
	Dropped                   int64
	FirstDropped, LastDropped time.Time
}

// Hit is a flow of which a rule has taken packets.
type Hit struct {
	ISP string
	// Client is the local address of the conn that was dialled, Server the
	// remote one.
	Client, Server netip.AddrPort
	// First and Last are when packets were taken, Packets is how many.
	First, Last time.Time
	Packets     int64
	// Rule took the first of them, which was of this Kind, by this Act.
	Rule blocker.RuleID
	Kind blocker.Kind
	Act  blocker.Act
	// Established is true if the flow's handshake had been answered before.
	Established bool
}

// Direct is a dial from an ISP to something that is no cloud host.
type Direct struct {
	At      time.Time
	ISP     string
	Address string
}

// Outage is a time for which an ISP was cut off; Until is zero if it still is.
type Outage struct {
	ISP         string
	From, Until time.Time
	// Captive is true if a portal answered in everybody's place, and false if
	// there was silence.
	Captive bool
}

// Cause is how an endpoint was burnt.
type Cause uint8

// The causes.
const (
	// Discovered means that the endpoint's own address was listed.
	Discovered Cause = iota
	// ByPrefix means that a prefix around it was listed.
	ByPrefix
	// BornBlocked means that it was launched into a listed prefix.
	BornBlocked
)

// String is the cause in lower case.
func (c Cause) String() string {
	switch c {
	case Discovered:
		return "discovered"
	case ByPrefix:
		return "by prefix"
	case BornBlocked:
		return "born blocked"
	}
	return "cause?"
}

// Burn is an endpoint lost to a rule at an ISP.
type Burn struct {
	At       time.Time
	ISP      string
	Endpoint netip.AddrPort
	Cause    Cause
	// Exposed is true if the endpoint had been dialled from that ISP before.
	Exposed bool
}

// Path returns what has passed between an ISP and an address and port.
func (l Ledger) Path(isp string, server netip.AddrPort) Path {
	for _, p := range l.Paths {
		if p.ISP == isp && p.Server == server {
			return p
		}
	}
	return Path{ISP: isp, Server: server}
}

// FirstDropped is when a rule first took a packet between an ISP and any port
// of an address; zero if none did.
func (l Ledger) FirstDropped(isp string, addr netip.Addr) (first time.Time) {
	for _, p := range l.Paths {
		if p.ISP == isp && p.Server.Addr() == addr && !p.FirstDropped.IsZero() &&
			(first.IsZero() || p.FirstDropped.Before(first)) {
			first = p.FirstDropped
		}
	}
	return first
}

// Hit returns what rules have taken of the flow with this local address, and
// whether they took anything. If a port was used again, the last flow counts.
func (l Ledger) Hit(client netip.AddrPort) (Hit, bool) {
	for _, h := range slices.Backward(l.Hits) {
		if h.Client == client {
			return h, true
		}
	}
	return Hit{}, false
}

// Ledger returns the truth so far. It looks at every order and endpoint: take
// it when there is something to judge, not for each request.
func (w *World) Ledger() Ledger {
	now := time.Now()
	w.mu.Lock()
	isps := slices.Clone(w.isps)
	hosts := slices.Clone(w.hosts)
	released := make([]time.Time, len(hosts))
	for n, h := range hosts {
		released[n] = h.released
	}
	var tenants []Tenant
	for _, c := range w.clouds {
		tenants = append(tenants, c.tenants...)
	}
	w.mu.Unlock()

	l := Ledger{At: now, TenantsAt: make(map[string]int), AddressesAt: make(map[string]uint64)}
	var all *blocker.PrefixSet
	hit := make([]bool, len(tenants))
	for _, i := range isps {
		w.trouble(i.vantage.traffic())
		i.books.copyTo(&l, i.name)
		l.Lost += i.line.Lost()
		under := i.Rules().Prefixes(now)
		l.AddressesAt[i.name] = under.Addresses()
		for n, t := range tenants {
			if under.Contains(t.Addr) {
				l.TenantsAt[i.name]++
				hit[n] = true
			}
		}
		all = all.Union(under)
	}
	l.Addresses = all.Addresses()
	for n, t := range tenants {
		if hit[n] {
			l.Tenants = append(l.Tenants, t)
		}
	}
	for n, h := range hosts {
		l.Lost += h.line.Lost()
		if !h.endpoint {
			continue
		}
		end := now
		if !released[n].IsZero() {
			end = released[n]
		}
		l.Spent += end.Sub(h.ordered).Hours() * h.cloud.config.PricePerHour
		for _, i := range isps {
			if b, ok := i.burn(h, end); ok {
				l.Burns = append(l.Burns, b)
			}
		}
	}
	slices.SortFunc(l.Paths, func(a, b Path) int {
		return cmp.Or(cmp.Compare(a.ISP, b.ISP), a.Server.Compare(b.Server))
	})
	slices.SortStableFunc(l.Burns, func(a, b Burn) int { return a.At.Compare(b.At) })
	return l
}

func (b *books) copyTo(l *Ledger, isp string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for server, t := range b.tallies {
		l.Paths = append(l.Paths, Path{
			ISP: isp, Server: server,
			Dials: t.dials.Load(), Connections: t.connections.Load(), Blocked: t.blocked,
			Up: t.bytes[blocker.Up].Load(), Down: t.bytes[blocker.Down].Load(),
			Dropped: t.packets, FirstDropped: t.first, LastDropped: t.last,
		})
	}
	for _, h := range b.hits {
		l.Hits = append(l.Hits, *h)
	}
	l.Directs = append(l.Directs, b.directs...)
	l.Outages = append(l.Outages, b.outages...)
	l.Lost += b.lost.Load()
}

// burn finds the first order of this ISP that covered an endpoint while it
// existed.
func (i *ISP) burn(h *Host, end time.Time) (Burn, bool) {
	var (
		b     Burn
		found bool
	)
	i.mu.Lock()
	for n := range i.orders {
		o := &i.orders[n]
		at, ok := o.strikes(h.ordered)
		if !ok || at.After(end) || found && !at.Before(b.At) || !o.set.Contains(h.addr) {
			continue
		}
		found = true
		b = Burn{At: at, ISP: i.name, Endpoint: netip.AddrPortFrom(h.addr, h.spec.Port), Cause: ByPrefix}
		switch {
		case o.added.Before(h.ordered) && at.Equal(h.ordered):
			b.Cause = BornBlocked
		case o.set.Has(netip.PrefixFrom(h.addr, h.addr.BitLen())):
			b.Cause = Discovered
		}
	}
	i.mu.Unlock()
	if found {
		i.books.mu.Lock()
		t := i.books.tallies[b.Endpoint]
		b.Exposed = t != nil && t.dials.Load() > 0 && b.Cause != BornBlocked
		i.books.mu.Unlock()
	}
	return b, found
}
