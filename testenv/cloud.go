package testenv

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// ErrNoAddress is returned when a prefix has no free address, or is not the
// cloud's.
var ErrNoAddress = errors.New("testenv: no free address")

// CloudConfig describes a cloud.
type CloudConfig struct {
	// Prefixes are its addresses. At least one is needed.
	Prefixes []netip.Prefix
	// Latency is one way, from its machines to the border of any ISP. See
	// World.Omitted.
	Latency time.Duration
	// LaunchDelay is how long a machine takes from the order until it answers.
	LaunchDelay time.Duration
	// PricePerHour is what one endpoint costs.
	PricePerHour float64
}

// Cloud is a provider of machines.
type Cloud struct {
	w       *World
	name    string
	config  CloudConfig
	tenants []Tenant
}

// Tenant is an innocent service that lives in a cloud.
type Tenant struct {
	// Name is what people call it.
	Name string
	// Cloud is where it lives, Addr its address.
	Cloud string
	Addr  netip.Addr
	// Weight is how much it matters, in any unit: users, for instance.
	Weight int
}

// EndpointConfig says what to launch.
type EndpointConfig struct {
	// User and Password are asked of clients. If User is empty, none are.
	User, Password string
	// Prefix is where its address should lie; it must overlap one of the
	// cloud's prefixes. The zero Prefix leaves the choice to the cloud.
	Prefix netip.Prefix
	// Port is where it listens; zero means 1080.
	Port uint16
	// Region and Owner are labels that its Spec will carry.
	Region, Owner string
}

// Cloud adds a cloud to the world. It panics if the configuration makes no
// sense: it is written by hand, in a test.
func (w *World) Cloud(name string, c CloudConfig) *Cloud {
	if len(c.Prefixes) == 0 {
		panic("testenv: cloud " + name + " has no prefixes")
	}
	c.Prefixes = slices.Clone(c.Prefixes)
	for i, p := range c.Prefixes {
		if !p.IsValid() {
			panic("testenv: cloud " + name + " has an invalid prefix")
		}
		c.Prefixes[i] = p.Masked()
	}
	if err := w.on.route(c.Prefixes...); err != nil {
		panic(fmt.Errorf("testenv: cloud %s: %w", name, err))
	}
	w.far("the latency of cloud "+name, c.Latency)
	w.mu.Lock()
	defer w.mu.Unlock()
	cl := &Cloud{w: w, name: name, config: c}
	w.clouds = append(w.clouds, cl)
	return cl
}

// Name is the cloud's name, and the provider in its endpoints' Specs.
func (c *Cloud) Name() string { return c.name }

// Launch orders an endpoint: a machine at an address that nobody has, with
// relay/exit's server on it. It can be dialled after the cloud's LaunchDelay;
// until then its address is silent.
func (c *Cloud) Launch(e EndpointConfig) (*Host, error) {
	if e.Port == 0 {
		e.Port = 1080
	}
	h, err := c.order(e.Prefix)
	if err != nil {
		return nil, err
	}
	h.spec = policy.Spec{
		Host: h.Addr().String(), Port: e.Port, Addr: h.Addr(),
		User: e.User, Password: e.Password,
		Provider: c.name, Region: e.Region, Owner: e.Owner,
	}
	h.endpoint = true
	h.services = []*service{{port: e.Port, begin: h.exit}}
	if c.config.LaunchDelay > 0 {
		c.w.after(c.config.LaunchDelay, func() {
			if err := h.boot(); err != nil {
				c.w.log.Debug("launch came to nothing", "addr", h.addr, "err", err)
			}
		})
		return h, nil
	}
	return h, h.boot()
}

// Host takes a bare machine, reachable at once, on which nothing runs: give it
// something to do with Listen or Serve. The zero Addr chooses a fresh address.
func (c *Cloud) Host(addr netip.Addr) (*Host, error) {
	var wish netip.Prefix
	if addr.IsValid() {
		addr = addr.Unmap()
		wish = netip.PrefixFrom(addr, addr.BitLen())
	}
	h, err := c.order(wish)
	if err != nil {
		return nil, err
	}
	return h, h.boot()
}

// Tenant settles an innocent at a fresh address. Nothing listens there; what
// matters is whether a rule covers it.
func (c *Cloud) Tenant(name string, weight int) (Tenant, error) {
	return c.TenantIn(netip.Prefix{}, name, weight)
}

// Tenants are all that have settled here.
func (c *Cloud) Tenants() []Tenant {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	return slices.Clone(c.tenants)
}

// order reserves an address for a new machine.
func (c *Cloud) order(wish netip.Prefix) (*Host, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.closed {
		return nil, ErrClosed
	}
	addr, err := c.fresh(wish)
	if err != nil {
		return nil, err
	}
	h := &Host{
		w: c.w, cloud: c, name: addr.String(), addr: addr,
		latency: c.config.Latency, ordered: time.Now(),
		spec: policy.Spec{Host: addr.String(), Addr: addr, Provider: c.name},
	}
	c.w.add(h)
	return h, nil
}

// fresh draws an address that nobody has, and takes it.
func (c *Cloud) fresh(wish netip.Prefix) (netip.Addr, error) {
	pools := c.config.Prefixes
	if wish.IsValid() {
		wish = wish.Masked()
		pools = nil
		for _, p := range c.config.Prefixes {
			switch {
			case !p.Overlaps(wish):
			case p.Bits() > wish.Bits():
				pools = append(pools, p)
			default:
				pools = append(pools, wish)
			}
		}
		if len(pools) == 0 {
			return netip.Addr{}, fmt.Errorf("%w: %v is not in cloud %s", ErrNoAddress, wish, c.name)
		}
	}
	p := pools[c.w.rng.IntN(len(pools))]
	return c.w.draw(p)
}

func (c *Cloud) holds(a netip.Addr) bool {
	return slices.ContainsFunc(c.config.Prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// draw takes a random free address of a prefix: by lot, and if luck fails by
// looking at the 65,536 that follow.
func (w *World) draw(p netip.Prefix) (netip.Addr, error) {
	bits := p.Addr().BitLen() - p.Bits()
	b := p.Addr().As16()
	for i := 15; bits > 0; i-- {
		n := min(bits, 8)
		b[i] |= byte(w.rng.Uint32()) & (1<<n - 1)
		bits -= n
	}
	a := netip.AddrFrom16(b)
	if p.Addr().Is4() {
		a = a.Unmap()
	}
	for range 1 << 16 {
		if _, taken := w.taken[a]; !taken {
			w.taken[a] = struct{}{}
			return a, nil
		}
		if a = a.Next(); !p.Contains(a) {
			a = p.Addr()
		}
	}
	return netip.Addr{}, fmt.Errorf("%w in %v", ErrNoAddress, p)
}
