package kernel

import (
	"encoding/binary"
	"net/netip"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// maxServers is how many servers traffic is counted for, times the lengths that
// headers have towards them.
const maxServers = 1 << 20

func trafficSet(f family, d blocker.Direction) string { return "traffic-" + d.String() + f.name }

func layOutTraffic(b *nft.Batch, f family) {
	for _, s := range sides {
		b.Set(nft.Set{Name: trafficSet(f, s.dir), Fields: []int{f.length, 2, 1}, Dynamic: true, Size: maxServers})
	}
}

// note counts a packet with payload, by the server's address and port and the
// length of the TCP header: so that of what the kernel counts, whole packets,
// the headers can be taken off exactly.
func note(b *nft.Batch, s side) {
	for _, f := range families {
		address, port := f.server(s.dir)
		next := f.length / 4
		b.Rule(s.chain, f.is(), carries(f),
			nft.Network(address, f.length, nft.R(0)), nft.Transport(port, 2, nft.R(next)),
			nft.Transport(12, 1, nft.R(next+1)), nft.And(nft.R(next+1), []byte{0xf0}, []byte{0}),
			nft.Note(trafficSet(f, s.dir), nft.R(0), nft.Counter()))
	}
}

// Traffic is the payload that the border has let through since the beginning, by
// server address and port. It is exact as long as IP headers have no options,
// which Linux sends none of.
func (v *Vantage) Traffic() (map[netip.AddrPort]Traffic, error) {
	all := make(map[netip.AddrPort]Traffic)
	err := v.change(func() error {
		for _, f := range families {
			for _, s := range sides {
				tallies, err := v.conn.Counted(table, trafficSet(f, s.dir))
				if err != nil {
					return err
				}
				for key, t := range tallies {
					add(all, f, s.dir, []byte(key), t)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func add(all map[netip.AddrPort]Traffic, f family, d blocker.Direction, key []byte, t nft.Tally) {
	if len(key) < f.length+8 {
		return
	}
	addr, _ := netip.AddrFromSlice(key[:f.length])
	server := netip.AddrPortFrom(addr, binary.BigEndian.Uint16(key[f.length:]))
	words := int(key[f.length+4] >> 4)
	payload := int64(t.Bytes) - int64(t.Packets)*int64(f.header+4*words)
	sum := all[server]
	if d == blocker.Up {
		sum.Up += payload
	} else {
		sum.Down += payload
	}
	all[server] = sum
}
