package kernel

import (
	"encoding/binary"
	"net/netip"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// packet is a TCP packet as the border logs it: its beginning.
type packet struct {
	source, destination netip.AddrPort
	seq                 uint32
	flags               byte
	// size is how much payload it has, payload the beginning of that.
	size    int
	payload []byte
}

// parse reads a packet from its IP header on. It reports false for what is no
// TCP packet, or too short to tell.
func parse(b []byte) (p packet, ok bool) {
	var from, to netip.Addr
	var header, total int
	switch {
	case len(b) >= 20 && b[0]>>4 == 4 && b[9] == protocolTCP:
		header, total = int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		from, to = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	case len(b) >= 40 && b[0]>>4 == 6 && b[6] == protocolTCP:
		header, total = 40, 40+int(binary.BigEndian.Uint16(b[4:]))
		from, to = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	default:
		return p, false
	}
	if header < 20 || len(b) < header+20 {
		return p, false
	}
	t := b[header:]
	data := int(t[12]>>4) * 4
	if data < 20 || total < header+data {
		return p, false
	}
	p.source = netip.AddrPortFrom(from, binary.BigEndian.Uint16(t))
	p.destination = netip.AddrPortFrom(to, binary.BigEndian.Uint16(t[2:]))
	p.seq, p.flags, p.size = binary.BigEndian.Uint32(t[4:]), t[13], total-header-data
	if len(t) > data {
		p.payload = t[data:min(len(t), data+p.size)]
	}
	return p, true
}

const protocolTCP = 6

// The flags of TCP.
const (
	fin = 1 << iota
	syn
	rst
	_
	ack
)

// kind is what the packet is for. A keep-alive probe looks like an
// acknowledgement, and is taken for one.
func (p *packet) kind() blocker.Kind {
	switch {
	case p.flags&rst != 0:
		return blocker.Rst
	case p.flags&(syn|ack) == syn:
		return blocker.Syn
	case p.flags&syn != 0:
		return blocker.SynAck
	case p.size > 0:
		return blocker.Data
	case p.flags&fin != 0:
		return blocker.Fin
	}
	return blocker.Ack
}
