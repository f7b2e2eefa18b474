package remote

import (
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
)

// World is what is where.
type World struct {
	// Backend is what the world runs on, "memory" or "kernel".
	Backend string    `json:"backend"`
	Began   time.Time `json:"began"`
	Clouds  []Cloud   `json:"clouds"`
	ISPs    []ISP     `json:"isps"`
	Hosts   []Host    `json:"hosts"`
}

// Cloud is a provider of machines.
type Cloud struct {
	Name     string         `json:"name"`
	Prefixes []netip.Prefix `json:"prefixes"`
	Tenants  []Tenant       `json:"tenants"`
}

// Tenant is an innocent service in a cloud.
type Tenant struct {
	Name    string     `json:"name"`
	Cloud   string     `json:"cloud"`
	Address netip.Addr `json:"address"`
	Weight  int        `json:"weight"`
}

// ISP is a network behind a border.
type ISP struct {
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
	Users   int        `json:"users"`
	// Lag is how late it applies the registry, Apply what it then does.
	Lag   float64 `json:"lag_seconds"`
	Apply string  `json:"apply"`
	// Rules is how many are in force, Down whether the network is cut.
	Rules int  `json:"rules"`
	Down  bool `json:"down"`
}

// The kinds of Host.
const (
	Endpoint    = "endpoint"
	Destination = "destination"
	Bare        = "bare"
)

// Host is a machine with one address.
type Host struct {
	Kind    string     `json:"kind"`
	Address netip.Addr `json:"address"`
	// Name is a destination's, Cloud is where any other machine is.
	Name  string `json:"name,omitempty"`
	Cloud string `json:"cloud,omitempty"`
	// URL is how an endpoint is used, its password included.
	URL string `json:"url,omitempty"`
}

// Launch is an order for a machine.
type Launch struct {
	Cloud string `json:"cloud"`
	// Bare is true for a machine on which nothing runs, for a program of one's
	// own; else it is an endpoint, with a SOCKS5 server on it.
	Bare bool `json:"bare,omitempty"`
	// In is where the address should lie; without it the cloud chooses. A bare
	// machine takes an address of its own choice as a whole: 52.58.4.7/32.
	In netip.Prefix `json:"in,omitzero"`
	// Port, User and Password are an endpoint's; zero means 1080, and nobody
	// asked who they are.
	Port     uint16 `json:"port,omitempty"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
}

// Registry is an order to the registry: which prefixes it is to list, or no
// longer. Each ISP follows after its own lag.
type Registry struct {
	Block   []netip.Prefix `json:"block,omitempty"`
	Unblock []netip.Prefix `json:"unblock,omitempty"`
}

// Place is where a program runs: at an ISP, by its name, or on a host, by its
// address or, a destination, its name.
type Place struct {
	ISP  string `json:"isp,omitempty"`
	Host string `json:"host,omitempty"`
}

func worldOf(w *testenv.World) World {
	out := World{Backend: w.Backend().String(), Began: w.Began(), Clouds: []Cloud{}, ISPs: []ISP{}, Hosts: []Host{}}
	for _, c := range w.Clouds() {
		out.Clouds = append(out.Clouds, Cloud{Name: c.Name(), Prefixes: c.Prefixes(), Tenants: tenantsOf(c.Tenants())})
	}
	for _, i := range w.ISPs() {
		out.ISPs = append(out.ISPs, ISP{
			Name: i.Name(), Address: i.Addr(), Users: i.Users(), Lag: i.Lag().Seconds(), Apply: action(i.Apply()),
			Rules: i.Rules().Len(), Down: i.Down(),
		})
	}
	for _, h := range w.Hosts() {
		out.Hosts = append(out.Hosts, hostOf(h))
	}
	return out
}

func tenantsOf(tenants []testenv.Tenant) []Tenant {
	out := []Tenant{}
	for _, t := range tenants {
		out = append(out, Tenant{Name: t.Name, Cloud: t.Cloud, Address: t.Addr, Weight: t.Weight})
	}
	return out
}

func hostOf(h *testenv.Host) Host {
	out := Host{Kind: Bare, Address: h.Addr()}
	switch c := h.Cloud(); {
	case c == nil:
		out.Kind, out.Name = Destination, h.Name()
		return out
	case h.Endpoint():
		out.Kind, out.URL = Endpoint, h.URL()
		fallthrough
	default:
		out.Cloud = c.Name()
	}
	return out
}
