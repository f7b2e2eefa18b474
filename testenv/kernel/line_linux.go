package kernel

import (
	"fmt"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// line is what a border does besides its rules.
type line struct {
	cut   bool
	lose  [blocker.Down + 1]float64
	sight bool
	// captive is whether a portal answers; resets, whether flows from before are
	// reset.
	captive, resets bool
}

// write makes the chains of both directions, and that at the entry: what is cut
// there does not reach a portal either.
func (l *line) write(b *nft.Batch) {
	b.Flush(chainEntry)
	for _, s := range sides {
		if l.cut {
			b.Rule(chainEntry, nft.From(s.link), nft.TCP(), nft.Count(counterCut), nft.Drop())
		} else if s.dir == blocker.Up {
			l.writeLoss(b, chainEntry, s, nft.From(s.link), nft.TCP())
		}
	}
	for _, s := range sides {
		b.Flush(s.chain)
		switch {
		case l.cut:
			b.Rule(s.chain, nft.Count(counterCut), nft.Drop())
		case l.captive && l.resets:
			b.Rule(s.chain, nft.TCP(), nft.Count(counterCut), nft.Reset())
			b.Rule(s.chain, nft.Count(counterCut), nft.Drop())
		case l.captive:
			b.Rule(s.chain, nft.Count(counterCut), nft.Drop())
		}
		if s.dir == blocker.Up {
			l.writeLoss(b, s.chain, s, nft.NotTCP())
			b.Rule(s.chain, isSyn(), told(wordSyn))
		}
		b.Rule(s.chain, nft.Jump(s.rules))
		if s.dir == blocker.Up {
			l.writeSight(b, s)
		} else {
			b.Rule(s.chain, isSynAck(), told(wordSynAck))
		}
		note(b, s)
		if s.dir == blocker.Down {
			l.writeLoss(b, s.chain, s)
		}
	}
}

// writeLoss loses packets on the customers' side of the border: on the way up
// before it, on the way down behind it.
func (l *line) writeLoss(b *nft.Batch, chain string, s side, of ...nft.Expr) {
	if p := l.lose[s.dir]; p > 0 {
		b.Rule(chain, nft.All(of...), nft.Random(nft.R(0), chances), chance(nft.R(0), p), nft.Count(counterLost), nft.Drop())
	}
}

// writeSight marks flows that have sent something, and tells of the first.
func (l *line) writeSight(b *nft.Batch, s side) {
	for _, f := range families {
		exprs := []nft.Expr{f.is(), marked(markSpoken, 0), carries(f), setMark(markSpoken, markSpoken)}
		if l.sight {
			exprs = append(exprs, nft.Log(logGroup, wordHead, headLength))
		}
		b.Rule(s.chain, exprs...)
	}
}

// set changes the line.
func (v *Vantage) set(f func(*line)) error {
	return v.change(func() error {
		next := v.line
		f(&next)
		if next == v.line {
			return nil
		}
		b := nft.New(table)
		next.write(b)
		if err := v.commit(b); err != nil {
			return err
		}
		v.line = next
		return nil
	})
}

// Cut takes the network down at the border, with silence both ways, or up again.
// It is no rule's work, and no observer hears of it; Lost counts.
func (v *Vantage) Cut(on bool) error { return v.set(func(l *line) { l.cut = on }) }

// Lose has shares of all packets, 0 to 1, get lost in each direction, each
// independently, between the customer and the border: the border never sees what
// is lost on the way up. Lost counts.
func (v *Vantage) Lose(up, down float64) error {
	if !(up >= 0 && up <= 1 && down >= 0 && down <= 1) {
		return fmt.Errorf("kernel: a share of %v or %v cannot get lost", up, down)
	}
	return v.set(func(l *line) { l.lose = [...]float64{blocker.Up: up, blocker.Down: down} })
}

// Sight turns on or off that the observer is shown what flows look like.
func (v *Vantage) Sight(on bool) error { return v.set(func(l *line) { l.sight = on }) }

// Lost is how many packets have been dropped so far: while the network was cut or
// captive, and by Lose.
func (v *Vantage) Lost() (cut, lost uint64, err error) {
	err = v.change(func() error {
		c, err := v.conn.Counter(table, counterCut)
		if err != nil {
			return err
		}
		l, err := v.conn.Counter(table, counterLost)
		cut, lost = c.Packets, l.Packets
		return err
	})
	return cut, lost, err
}

// Delay holds every packet up between the customer and the border, by the same
// time in each direction; zero ends it. Not every kernel can (CONFIG_NET_SCH_NETEM):
// else the error is an [*UnsupportedError].
func (v *Vantage) Delay(oneWay time.Duration) error {
	if oneWay < 0 {
		return fmt.Errorf("kernel: nothing arrives %v early", -oneWay)
	}
	return v.change(func() error {
		if err := v.border.do(func() error { return delay(nearLink, oneWay) }); err != nil {
			return err
		}
		return v.customer.do(func() error { return delay(customerLink, oneWay) })
	})
}

func delay(link string, d time.Duration) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	q := netlink.NewNetem(netlink.QdiscAttrs{
		LinkIndex: l.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT,
	}, netlink.NetemQdiscAttrs{Latency: uint32(d.Microseconds()), Limit: 100_000})
	if d > 0 {
		if err := netlink.QdiscReplace(q); err != nil {
			return &UnsupportedError{What: "delay, which needs netem (CONFIG_NET_SCH_NETEM)", Err: err}
		}
		return nil
	}
	all, err := netlink.QdiscList(l)
	if err != nil {
		return err
	}
	for _, q := range all {
		if q.Type() == "netem" {
			return netlink.QdiscDel(q)
		}
	}
	return nil
}
