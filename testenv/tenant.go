package testenv

import "net/netip"

// TenantIn is Tenant at an address of a part of the cloud: the prefix must
// overlap one of the cloud's.
func (c *Cloud) TenantIn(prefix netip.Prefix, name string, weight int) (Tenant, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	addr, err := c.fresh(prefix)
	if err != nil {
		return Tenant{}, err
	}
	t := Tenant{Name: name, Cloud: c.name, Addr: addr, Weight: weight}
	c.tenants = append(c.tenants, t)
	return t, nil
}
