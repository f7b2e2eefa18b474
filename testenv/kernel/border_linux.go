package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// borderSettings are those of a namespace that forwards. Without nf_conntrack_acct
// a flow's bytes are not counted; what conntrack thinks of sequence numbers, which
// a blocker spoils, must not matter; and each rejection gets its ICMP.
var borderSettings = []string{
	"netfilter/nf_conntrack_acct 1",
	"netfilter/nf_conntrack_tcp_be_liberal 1",
	"ipv4/ip_forward 1",
	"ipv6/conf/all/forwarding 1",
	"ipv4/conf/all/rp_filter 0",
	"ipv4/conf/default/rp_filter 0",
	"ipv4/conf/all/send_redirects 0",
	"ipv4/conf/default/send_redirects 0",
	"ipv6/conf/all/accept_dad 0",
	"ipv6/conf/default/accept_dad 0",
	"ipv4/icmp_ratelimit 0",
	"ipv6/icmp/ratelimit 0",
	"?ipv4/icmp_msgs_per_sec 1000000",
	"?ipv4/icmp_msgs_burst 1000000",
	"?ipv4/ip_local_port_range 20000 65535",
	"?netfilter/nf_conntrack_max 4194304",
}

// A packet's way through the border. The chains for rules are made anew with
// each change of them; those for directions with each change of the line.
//
//	entry ──── TCP: cut, loss on the way up
//	forward ── from the customers ──> up:   cut, loss, SYNs told ── rulesUp ──> sight, traffic
//	        └─ from the world ──────> down: cut ── rulesDown ──> SYN-ACKs told, traffic, loss
//
// What does not even reach the border is dropped before conntrack counts it, as that
// is what a freeze goes by. For TCP only: IPv6 looks for its neighbours by packets,
// too, and a host that does not find the border notices.
const (
	chainEntry   = "entry"
	chainForward = "forward"
	chainUp      = "up"
	chainDown    = "down"
	rulesUp      = "rules-up"
	rulesDown    = "rules-down"

	// beforeConntrack is below NF_IP_PRI_CONNTRACK, which is -200.
	beforeConntrack = -300

	counterCut  = "cut"
	counterLost = "lost"
)

// side is one way through the border.
type side struct {
	dir          blocker.Direction
	link         string
	chain, rules string
}

var sides = []side{
	{blocker.Up, nearLink, chainUp, rulesUp},
	{blocker.Down, farLink, chainDown, rulesDown},
}

// layOut makes what does not change.
func layOut(b *nft.Batch) {
	b.Table()
	b.Counter(counterCut)
	b.Counter(counterLost)
	for _, f := range families {
		layOutPayload(b, f)
		layOutTraffic(b, f)
	}
	b.Chain(chainForward, &nft.Hook{Kind: "filter", Number: unix.NF_INET_FORWARD})
	b.Chain(chainEntry, &nft.Hook{Kind: "filter", Number: unix.NF_INET_PRE_ROUTING, Priority: beforeConntrack})
	for _, s := range sides {
		b.Chain(s.chain, nil)
		b.Chain(s.rules, nil)
		b.Rule(chainForward, nft.From(s.link), nft.Jump(s.chain))
	}
}

// The bits of a TCP header's byte 13.
const (
	flagFin = 1 << iota
	flagSyn
	flagRst
	_
	flagAck
)

// flags holds for TCP packets that have, of the masked flags, exactly these.
func flags(mask, want byte) nft.Expr {
	return nft.All(nft.TCP(), nft.Transport(13, 1, nft.R(0)),
		nft.And(nft.R(0), []byte{mask}, []byte{0}), nft.Is(nft.R(0), want))
}

func isSyn() nft.Expr    { return flags(flagFin|flagSyn|flagRst|flagAck, flagSyn) }
func isSynAck() nft.Expr { return flags(flagFin|flagSyn|flagRst|flagAck, flagSyn|flagAck) }

// chance holds with a probability, given a number below 2^30 in a register, in
// the machine's order.
func chance(r nft.Reg, p float64) nft.Expr {
	return nft.All(nft.Swap(r, 4), nft.Below(r, binary.BigEndian.AppendUint32(nil, uint32(p*chances))...))
}

const chances = 1 << 30

// A flow's mark says what has become of it: that it has sent payload, and which
// rule has frozen it.
const (
	markSpoken = 1 << 31
	markFrozen = 1<<24 - 1
)

// setMark replaces the bits of a mask in the flow's mark.
func setMark(mask, value uint32) nft.Expr {
	return nft.All(nft.Flow(unix.NFT_CT_MARK, nft.Either, nft.R(0)),
		nft.And(nft.R(0), nft.Native(^mask), nft.Native(value)), nft.SetMark(nft.R(0)))
}

// marked holds for flows whose mark has these bits within a mask.
func marked(mask, value uint32) nft.Expr {
	return nft.All(nft.Flow(unix.NFT_CT_MARK, nft.Either, nft.R(0)),
		nft.And(nft.R(0), nft.Native(mask), nft.Native(0)), nft.Is(nft.R(0), nft.Native(value)...))
}
