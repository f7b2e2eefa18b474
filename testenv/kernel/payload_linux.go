package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

func payloadSet(f family) string { return "payload" + f.name }

// layOutPayload makes the set of pairs (data offset of TCP, length of the
// packet) that leave room for payload: for each length of a TCP header, all
// packets that are longer than the headers.
func layOutPayload(b *nft.Batch, f family) {
	b.Set(nft.Set{Name: payloadSet(f), Fields: []int{1, 4}, Interval: true})
	var all []nft.Element
	for words := 5; words <= 15; words++ {
		key := func(length uint32) []byte {
			return binary.BigEndian.AppendUint32([]byte{byte(words << 4), 0, 0, 0}, length)
		}
		all = append(all, nft.Element{Key: key(uint32(f.header + 4*words + 1)), Last: key(1<<32 - 1)})
	}
	b.Add(payloadSet(f), all...)
}

// carries holds for TCP packets with payload. It uses the first two registers.
func carries(f family) nft.Expr {
	return nft.All(
		nft.TCP(), nft.Transport(12, 1, nft.R(0)), nft.And(nft.R(0), []byte{0xf0}, []byte{0}),
		nft.Meta(unix.NFT_META_LEN, nft.R(1)), nft.Swap(nft.R(1), 4),
		nft.In(payloadSet(f), nft.R(0)))
}
