package testenv

import (
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// maxSights bounds what an ISP remembers between two steps of a strategy.
const maxSights = 1 << 16

// sight notes for the strategies what a flow looks like by its first bytes.
func (b *books) sight(server netip.AddrPort, payload []byte, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.sights) < maxSights {
		b.sights = append(b.sights, blocker.Observation{At: now, Server: server, Look: blocker.LookOf(payload)})
	}
}
