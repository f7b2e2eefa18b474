package kernel

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// A freeze counts payload, but what conntrack counts of a flow, since its first
// SYN, are whole packets: their number k and the sum of their lengths. Of these,
//
//	payload = bytes - k*header - extra
//
// where header is that of IP and of TCP with timestamps, 52 bytes for IPv4, and
// extra what a SYN has beyond that, 8 bytes for each of the two. nftables cannot
// subtract, but it can look a pair of numbers up in a set of rectangles. So the
// set has, for each k, all sums that mean more than n bytes of payload. It is exact
// for up to freezeExact packets; from there on one rectangle serves k to k+k/32 and
// errs towards letting pass, by k/32 headers at most. Selective acknowledgements
// count as payload, at 12 bytes and more each, and so does what another rule or a
// captive network takes: conntrack counts it before.
//
// The packet that crosses the limit is dropped whole, and the flow is marked: of a
// marked flow nothing passes. A packet is a segment, so that what passes is less
// than n by one at most.
const (
	freezeExact = 128
	// maxFreeze is how many bytes can be counted in 32 bits, with headers.
	maxFreeze = 1 << 30
	// maxFreezePackets keeps the bucket of packets within 64 bits of nanoseconds.
	maxFreezePackets = 10_000
	synExtra         = 8
)

func (l *laid) freezeSet(f family) string { return l.name("freeze") + "-" + f.name }

func (p program) prepareFreeze(b *nft.Batch, l *laid) {
	for _, f := range families {
		if p.terms.Packets > 0 {
			l.set(b, nft.Set{Name: l.freezeSet(f), Fields: flowFields(f), Dynamic: true, Size: maxFlows, Timeout: flowMemory})
			continue
		}
		l.set(b, nft.Set{Name: l.freezeSet(f), Fields: []int{4, 4}, Interval: true})
		b.Add(l.freezeSet(f), rectangles(f, p.terms)...)
	}
}

// rectangles are the pairs of packets and bytes that mean more payload than the
// limit.
func rectangles(f family, t blocker.Terms) (all []nft.Element) {
	extra := 2 * synExtra
	if t.Count != blocker.Both {
		extra = synExtra
	}
	const last = 1 << 24
	for k := 1; k < last; {
		to := k
		if k > freezeExact {
			to += k / 32
		}
		least := t.Bytes + 1 + int64(to*headers(f)+extra)
		if least > 1<<32-1 {
			break
		}
		all = append(all, nft.Element{
			Key:  pairKey(uint32(k), uint32(least)),
			Last: pairKey(uint32(to), 1<<32-1),
		})
		k = to + 1
	}
	return all
}

func pairKey(packets, bytes uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, packets), bytes)
}

// writeFreeze lets handshakes pass, and of frozen flows nothing.
func (p program) writeFreeze(b *nft.Batch, l *laid, s side) {
	chain := l.name(s.chain)
	b.Rule(chain, flags(flagSyn, flagSyn), nft.Return())
	b.Rule(chain, marked(markFrozen, uint32(l.id)), taken(l, blocker.Discard, s), nft.Drop())
	for _, f := range families {
		var over nft.Expr
		switch {
		case p.terms.Packets == 0:
			over = overBytes(l, f, p.terms.Count)
		case p.terms.Count == blocker.Both || p.terms.Count == s.dir:
			over = overPackets(l, f, s, p.terms.Packets)
		default:
			continue
		}
		b.Rule(chain, f.is(), over, setMark(markFrozen, uint32(l.id)), taken(l, blocker.Discard, s), nft.Drop())
	}
}

func overBytes(l *laid, f family, count blocker.Direction) nft.Expr {
	direction := nft.Either
	switch count {
	case blocker.Up:
		direction = nft.Original
	case blocker.Down:
		direction = nft.Reply
	case blocker.Both:
	}
	// Each number has eight bytes, of which the last four matter: they come to lie
	// in registers 1 and 2.
	return nft.All(
		nft.Flow(unix.NFT_CT_BYTES, direction, nft.R(1)), nft.Swap(nft.R(1), 8),
		nft.Flow(unix.NFT_CT_PKTS, direction, nft.R(0)), nft.Swap(nft.R(0), 8),
		nft.In(l.freezeSet(f), nft.R(1)))
}

// overPackets counts packets with payload in a bucket that is never filled again:
// one token a week. It begins to count when the rule comes.
func overPackets(l *laid, f family, s side, n int64) nft.Expr {
	load, _ := flowKey(f, s)
	return nft.All(carries(f), load, nft.Note(l.freezeSet(f), nft.R(0), nft.OverPackets(1, 7*24*time.Hour, uint32(n))))
}
