package testenv

import (
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// border is one flow's passage through an ISP's border: the blocker's view of
// it, and the ledger's.
type border struct {
	isp  *ISP
	flow blocker.Flow
	*passage
	looked bool
}

var _ memnet.Border = (*border)(nil)

func (i *ISP) border(source, to netip.AddrPort, seed uint64) *border {
	return &border{
		isp: i, flow: blocker.Flow{Client: source, Server: to, Seed: seed},
		passage: i.passage(source, to),
	}
}

// Inspect implements [memnet.Border]. The connection's lock orders the calls.
func (b *border) Inspect(p blocker.Packet, now time.Time) blocker.Decision {
	if b.isp.cut.Load() {
		b.isp.books.lost.Add(1)
		return blocker.Decision{Act: blocker.Discard}
	}
	if p := b.isp.portal.Load(); p != nil {
		b.isp.books.lost.Add(1)
		if p.Reset {
			return blocker.Decision{Act: blocker.Forge}
		}
		return blocker.Decision{Act: blocker.Discard}
	}
	d := b.flow.Decide(b.isp.rules.Load(), &b.isp.residue, p, now)
	if d.Act == blocker.Forward {
		if p.Size > 0 {
			b.bytes[p.Dir].Add(int64(p.Size))
			if !b.looked && p.Dir == blocker.Up {
				b.looked = true
				b.sight(p.Payload, now)
			}
		} else if p.Kind == blocker.SynAck {
			b.answered()
		}
		return d
	}
	b.bytes[p.Dir].Add(int64(d.Pass))
	b.isp.books.dropped(b.passage, p.Kind, d.Act, d.Rule, now)
	return d
}

// sight tells a strategy that is being played of the flow's first bytes.
func (b *border) sight(head []byte, now time.Time) {
	if b.isp.w.players.Load() > 0 {
		b.isp.books.sight(b.isp.name, b.flow.Server, head, now)
	}
}
