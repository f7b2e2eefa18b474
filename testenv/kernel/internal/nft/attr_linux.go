package nft

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// attrs is a run of netlink attributes.
type attrs []byte

// put appends an attribute, padded to four bytes.
func (a *attrs) put(kind int, value []byte) {
	*a = binary.NativeEndian.AppendUint16(*a, uint16(unix.NLA_HDRLEN+len(value)))
	*a = binary.NativeEndian.AppendUint16(*a, uint16(kind))
	*a = append(*a, value...)
	for len(*a)%unix.NLA_ALIGNTO != 0 {
		*a = append(*a, 0)
	}
}

func (a *attrs) text(kind int, s string) { a.put(kind, append([]byte(s), 0)) }

func (a *attrs) u8(kind int, v uint8) { a.put(kind, []byte{v}) }

func (a *attrs) u16(kind int, v uint16) { a.put(kind, binary.BigEndian.AppendUint16(nil, v)) }

func (a *attrs) u32(kind int, v uint32) { a.put(kind, binary.BigEndian.AppendUint32(nil, v)) }

func (a *attrs) u64(kind int, v uint64) { a.put(kind, binary.BigEndian.AppendUint64(nil, v)) }

// nest appends an attribute that consists of others.
func (a *attrs) nest(kind int, fill func(*attrs)) {
	at := a.begin(kind)
	fill(a)
	a.end(at)
}

// begin opens a nested attribute, which end closes: what is appended in between
// is in it.
func (a *attrs) begin(kind int) (at int) {
	at = len(*a)
	*a = append(*a, 0, 0, 0, 0)
	binary.NativeEndian.PutUint16((*a)[at+2:], uint16(kind|unix.NLA_F_NESTED))
	return at
}

func (a *attrs) end(at int) { binary.NativeEndian.PutUint16((*a)[at:], uint16(len(*a)-at)) }

// data appends a value as expressions take one.
func (a *attrs) data(kind int, value []byte) {
	a.nest(kind, func(a *attrs) { a.put(unix.NFTA_DATA_VALUE, value) })
}

// each calls f for every attribute of b, and stops where b is cut off.
func each(b []byte, f func(kind int, value []byte)) {
	for len(b) >= unix.NLA_HDRLEN {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.NLA_HDRLEN || n > len(b) {
			return
		}
		f(int(binary.NativeEndian.Uint16(b[2:]))&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[unix.NLA_HDRLEN:n])
		b = b[min((n+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(b)):]
	}
}
