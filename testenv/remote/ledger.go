package remote

import (
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Ledger is a [testenv.Ledger] in JSON: what its fields mean is said there.
// Lists are never null.
type Ledger struct {
	At          time.Time         `json:"at"`
	Paths       []Path            `json:"paths"`
	Hits        []Hit             `json:"hits"`
	Directs     []Direct          `json:"directs"`
	Outages     []Outage          `json:"outages"`
	Lost        int64             `json:"lost_packets"`
	Addresses   uint64            `json:"addresses_under_a_rule"`
	AddressesAt map[string]uint64 `json:"addresses_under_a_rule_at"`
	Tenants     []Tenant          `json:"tenants_hit"`
	TenantsAt   map[string]int    `json:"tenants_hit_at"`
	Burns       []Burn            `json:"burns"`
	Spent       float64           `json:"spent"`
}

// Path is what has passed between an ISP and one address and port.
type Path struct {
	ISP          string         `json:"isp"`
	Server       netip.AddrPort `json:"server"`
	Dials        int64          `json:"dials"`
	Connections  int64          `json:"connections"`
	Blocked      int64          `json:"blocked"`
	Up           int64          `json:"up_bytes"`
	Down         int64          `json:"down_bytes"`
	Dropped      int64          `json:"dropped_packets"`
	FirstDropped time.Time      `json:"first_dropped,omitzero"`
	LastDropped  time.Time      `json:"last_dropped,omitzero"`
}

// Hit is a flow of which a rule has taken packets.
type Hit struct {
	ISP         string         `json:"isp"`
	Client      netip.AddrPort `json:"client"`
	Server      netip.AddrPort `json:"server"`
	First       time.Time      `json:"first"`
	Last        time.Time      `json:"last"`
	Packets     int64          `json:"packets"`
	Rule        blocker.RuleID `json:"rule"`
	Kind        string         `json:"kind"`
	Act         string         `json:"act"`
	Established bool           `json:"established"`
}

// Direct is a dial from an ISP to something that is no cloud host, or a name
// that was shown to the network.
type Direct struct {
	At      time.Time `json:"at"`
	ISP     string    `json:"isp"`
	Address string    `json:"address"`
}

// Outage is a time for which an ISP was cut off. Until is left out while it is.
type Outage struct {
	ISP     string    `json:"isp"`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until,omitzero"`
	Captive bool      `json:"captive"`
}

// Burn is an endpoint lost to a rule at an ISP.
type Burn struct {
	At       time.Time      `json:"at"`
	ISP      string         `json:"isp"`
	Endpoint netip.AddrPort `json:"endpoint"`
	Cause    string         `json:"cause"`
	Exposed  bool           `json:"exposed"`
}

func ledgerOf(l testenv.Ledger) Ledger {
	out := Ledger{
		At: l.At, Paths: []Path{}, Hits: []Hit{}, Directs: []Direct{}, Outages: []Outage{}, Burns: []Burn{},
		Lost: l.Lost, Addresses: l.Addresses, AddressesAt: l.AddressesAt,
		Tenants: tenantsOf(l.Tenants), TenantsAt: l.TenantsAt, Spent: l.Spent,
	}
	for _, p := range l.Paths {
		out.Paths = append(out.Paths, Path(p))
	}
	for _, h := range l.Hits {
		out.Hits = append(out.Hits, Hit{
			ISP: h.ISP, Client: h.Client, Server: h.Server, First: h.First, Last: h.Last, Packets: h.Packets,
			Rule: h.Rule, Kind: h.Kind.String(), Act: h.Act.String(), Established: h.Established,
		})
	}
	for _, d := range l.Directs {
		out.Directs = append(out.Directs, Direct(d))
	}
	for _, o := range l.Outages {
		out.Outages = append(out.Outages, Outage(o))
	}
	for _, b := range l.Burns {
		out.Burns = append(out.Burns, Burn{At: b.At, ISP: b.ISP, Endpoint: b.Endpoint, Cause: b.Cause.String(), Exposed: b.Exposed})
	}
	return out
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
