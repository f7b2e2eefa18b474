package exit

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// ownFor is for how long the machine's addresses are taken to be known. Asking
// takes some 50 microseconds; addresses change rarely.
const ownFor = 5 * time.Second

// ownAddrs are the addresses of the machine's interfaces. The zero value is
// ready to use.
type ownAddrs struct {
	mu    sync.Mutex
	until time.Time
	addrs map[netip.Addr]struct{}
}

func (o *ownAddrs) contains(a netip.Addr) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); now.After(o.until) {
		o.until = now.Add(ownFor)
		// On error what was known before stays.
		if addrs, err := net.InterfaceAddrs(); err == nil {
			o.addrs = make(map[netip.Addr]struct{}, len(addrs))
			for _, addr := range addrs {
				if n, ok := addr.(*net.IPNet); ok {
					if ip, ok := netip.AddrFromSlice(n.IP); ok {
						o.addrs[ip.Unmap()] = struct{}{}
					}
				}
			}
		}
	}
	_, found := o.addrs[a]
	return found
}
