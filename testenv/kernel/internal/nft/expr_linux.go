package nft

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// Expr is one expression of a rule, or several that belong together.
type Expr struct {
	name string
	fill func(*attrs)
	all  []Expr
}

// All is several expressions, one after the other.
func All(exprs ...Expr) Expr { return Expr{all: exprs} }

// encode appends the expression as an element of a list.
func (e Expr) encode(a *attrs) {
	for _, x := range e.all {
		x.encode(a)
	}
	if e.name != "" {
		a.nest(unix.NFTA_LIST_ELEM, e.inner)
	}
}

func (e Expr) inner(a *attrs) {
	a.text(unix.NFTA_EXPR_NAME, e.name)
	a.nest(unix.NFTA_EXPR_DATA, e.fill)
}

// Reg is a register of four bytes. A longer value takes as many as it needs,
// from the given one on.
type Reg uint32

// R is register i, 0 to 15.
func R(i int) Reg { return Reg(unix.NFT_REG32_00 + i) }

// Meta loads one of unix.NFT_META_... into a register.
func Meta(key uint32, to Reg) Expr {
	return Expr{name: "meta", fill: func(a *attrs) {
		a.u32(unix.NFTA_META_DREG, uint32(to))
		a.u32(unix.NFTA_META_KEY, key)
	}}
}

// Network loads bytes of a packet from the beginning of its IP header on.
func Network(offset, length int, to Reg) Expr {
	return payload(unix.NFT_PAYLOAD_NETWORK_HEADER, offset, length, to)
}

// Transport loads bytes of a packet from the beginning of its TCP header on.
func Transport(offset, length int, to Reg) Expr {
	return payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, offset, length, to)
}

func payload(base uint32, offset, length int, to Reg) Expr {
	return Expr{name: "payload", fill: func(a *attrs) {
		a.u32(unix.NFTA_PAYLOAD_DREG, uint32(to))
		a.u32(unix.NFTA_PAYLOAD_BASE, base)
		a.u32(unix.NFTA_PAYLOAD_OFFSET, uint32(offset))
		a.u32(unix.NFTA_PAYLOAD_LEN, uint32(length))
	}}
}

// Protocol holds for packets of a family, unix.NFPROTO_IPV4 or ..._IPV6.
func Protocol(family byte) Expr { return All(Meta(unix.NFT_META_NFPROTO, R(0)), Is(R(0), family)) }

// TCP holds for TCP packets. Like Protocol, it uses the first register.
func TCP() Expr { return All(Meta(unix.NFT_META_L4PROTO, R(0)), Is(R(0), unix.IPPROTO_TCP)) }

// NotTCP holds for all others.
func NotTCP() Expr { return All(Meta(unix.NFT_META_L4PROTO, R(0)), IsNot(R(0), unix.IPPROTO_TCP)) }

// From holds for packets that have come in by an interface. It uses the first
// four registers.
func From(name string) Expr {
	return All(Meta(unix.NFT_META_IIFNAME, R(0)), Is(R(0), append([]byte(name), make([]byte, unix.IFNAMSIZ-len(name))...)...))
}

// Is holds if a register begins with these bytes.
func Is(r Reg, value ...byte) Expr { return compare(unix.NFT_CMP_EQ, r, value) }

// IsNot holds if it does not.
func IsNot(r Reg, value ...byte) Expr { return compare(unix.NFT_CMP_NEQ, r, value) }

// Below holds if a register, whose value is in network order, is less.
func Below(r Reg, value ...byte) Expr { return compare(unix.NFT_CMP_LT, r, value) }

func compare(op uint32, r Reg, value []byte) Expr {
	return Expr{name: "cmp", fill: func(a *attrs) {
		a.u32(unix.NFTA_CMP_SREG, uint32(r))
		a.u32(unix.NFTA_CMP_OP, op)
		a.data(unix.NFTA_CMP_DATA, value)
	}}
}

// And masks a register, and flips the bits of xor after that.
func And(r Reg, mask, xor []byte) Expr {
	return Expr{name: "bitwise", fill: func(a *attrs) {
		a.u32(unix.NFTA_BITWISE_SREG, uint32(r))
		a.u32(unix.NFTA_BITWISE_DREG, uint32(r))
		a.u32(unix.NFTA_BITWISE_LEN, uint32(len(mask)))
		a.data(unix.NFTA_BITWISE_MASK, mask)
		a.data(unix.NFTA_BITWISE_XOR, xor)
	}}
}

// Swap turns a number of 4 or 8 bytes from the machine's order into the
// network's.
func Swap(r Reg, size int) Expr {
	return Expr{name: "byteorder", fill: func(a *attrs) {
		a.u32(unix.NFTA_BYTEORDER_SREG, uint32(r))
		a.u32(unix.NFTA_BYTEORDER_DREG, uint32(r))
		a.u32(unix.NFTA_BYTEORDER_OP, unix.NFT_BYTEORDER_HTON)
		a.u32(unix.NFTA_BYTEORDER_LEN, uint32(size))
		a.u32(unix.NFTA_BYTEORDER_SIZE, uint32(size))
	}}
}

// In holds if a set has the key that begins in a register.
func In(set string, key Reg) Expr {
	return Expr{name: "lookup", fill: func(a *attrs) {
		a.text(unix.NFTA_LOOKUP_SET, set)
		a.u32(unix.NFTA_LOOKUP_SREG, uint32(key))
	}}
}

// The directions of a flow as conntrack has them.
const (
	Original = 0
	Reply    = 1
	Either   = -1
)

// Flow loads one of unix.NFT_CT_... of the packet's flow. Numbers come in the
// machine's order. Direction is Original or Reply, where the key has that, else
// Either.
func Flow(key uint32, direction int, to Reg) Expr {
	return Expr{name: "ct", fill: func(a *attrs) {
		a.u32(unix.NFTA_CT_KEY, key)
		a.u32(unix.NFTA_CT_DREG, uint32(to))
		if direction != Either {
			a.u8(unix.NFTA_CT_DIRECTION, uint8(direction))
		}
	}}
}

// SetMark makes a register the mark of the packet's flow.
func SetMark(r Reg) Expr {
	return Expr{name: "ct", fill: func(a *attrs) {
		a.u32(unix.NFTA_CT_KEY, unix.NFT_CT_MARK)
		a.u32(unix.NFTA_CT_SREG, uint32(r))
	}}
}

// Load puts a value into a register.
func Load(r Reg, value ...byte) Expr {
	return Expr{name: "immediate", fill: func(a *attrs) {
		a.u32(unix.NFTA_IMMEDIATE_DREG, uint32(r))
		a.data(unix.NFTA_IMMEDIATE_DATA, value)
	}}
}

// Drop ends the packet's way.
func Drop() Expr { return verdict(0, "") }

// Accept lets it pass this hook.
func Accept() Expr { return verdict(1, "") }

// Jump goes through another chain, and comes back.
func Jump(chain string) Expr { return verdict(unix.NFT_JUMP, chain) }

// Return leaves the chain, to where it was jumped from.
func Return() Expr { return verdict(unix.NFT_RETURN, "") }

func verdict(code int32, chain string) Expr {
	return Expr{name: "immediate", fill: func(a *attrs) {
		a.u32(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT)
		a.nest(unix.NFTA_IMMEDIATE_DATA, func(a *attrs) {
			a.nest(unix.NFTA_DATA_VERDICT, func(a *attrs) {
				a.u32(unix.NFTA_VERDICT_CODE, uint32(code))
				if chain != "" {
					a.text(unix.NFTA_VERDICT_CHAIN, chain)
				}
			})
		})
	}}
}

// Reset drops a TCP packet and answers its sender with an RST.
func Reset() Expr { return reject(unix.NFT_REJECT_TCP_RST, 0) }

// Unreachable drops a packet and answers its sender with ICMP host unreachable.
func Unreachable() Expr {
	return reject(unix.NFT_REJECT_ICMPX_UNREACH, unix.NFT_REJECT_ICMPX_HOST_UNREACH)
}

func reject(kind uint32, code uint8) Expr {
	return Expr{name: "reject", fill: func(a *attrs) {
		a.u32(unix.NFTA_REJECT_TYPE, kind)
		if kind != unix.NFT_REJECT_TCP_RST {
			a.u8(unix.NFTA_REJECT_ICMP_CODE, code)
		}
	}}
}

// Log sends the beginning of a packet, at most length bytes of it, to who reads
// the group (see Watch), with a word.
func Log(group uint16, word string, length uint32) Expr {
	return Expr{name: "log", fill: func(a *attrs) {
		a.u16(unix.NFTA_LOG_GROUP, group)
		a.text(unix.NFTA_LOG_PREFIX, word)
		a.u32(unix.NFTA_LOG_SNAPLEN, length)
		a.u16(unix.NFTA_LOG_QTHRESHOLD, 1)
	}}
}

// Count adds to a named counter.
func Count(name string) Expr {
	return Expr{name: "objref", fill: func(a *attrs) {
		a.u32(unix.NFTA_OBJREF_IMM_TYPE, unix.NFT_OBJECT_COUNTER)
		a.text(unix.NFTA_OBJREF_IMM_NAME, name)
	}}
}

// Counter counts packets and bytes in an element of a set. See Note.
func Counter() Expr {
	return Expr{name: "counter", fill: func(a *attrs) {
		a.u64(unix.NFTA_COUNTER_BYTES, 0)
		a.u64(unix.NFTA_COUNTER_PACKETS, 0)
	}}
}

// OverBytes holds for packets that exceed a rate in bytes, as their IP lengths
// sum up. The bucket holds burst bytes and what comes in within the unit, whole
// seconds.
func OverBytes(rate uint64, unit time.Duration, burst uint32) Expr {
	return limit(unix.NFT_LIMIT_PKT_BYTES, rate, unit, burst)
}

// OverPackets holds for packets that exceed a rate in packets. The bucket holds
// burst packets.
func OverPackets(rate uint64, unit time.Duration, burst uint32) Expr {
	return limit(unix.NFT_LIMIT_PKTS, rate, unit, burst)
}

func limit(kind uint32, rate uint64, unit time.Duration, burst uint32) Expr {
	return Expr{name: "limit", fill: func(a *attrs) {
		a.u64(unix.NFTA_LIMIT_RATE, rate)
		a.u64(unix.NFTA_LIMIT_UNIT, uint64(unit/time.Second))
		a.u32(unix.NFTA_LIMIT_BURST, burst)
		a.u32(unix.NFTA_LIMIT_TYPE, kind)
		a.u32(unix.NFTA_LIMIT_FLAGS, unix.NFT_LIMIT_F_INV)
	}}
}

// Note enters the key that begins in a register into a dynamic set, if it is not
// there, and evaluates an expression that keeps its state in that element.
func Note(set string, key Reg, state Expr) Expr {
	return Expr{name: "dynset", fill: func(a *attrs) {
		a.text(unix.NFTA_DYNSET_SET_NAME, set)
		a.u32(unix.NFTA_DYNSET_OP, unix.NFT_DYNSET_OP_UPDATE)
		a.u32(unix.NFTA_DYNSET_SREG_KEY, uint32(key))
		a.nest(unix.NFTA_DYNSET_EXPR, state.inner)
	}}
}

// Random puts a random number below modulus into a register, in the machine's
// order.
func Random(to Reg, modulus uint32) Expr {
	return Expr{name: "numgen", fill: func(a *attrs) {
		a.u32(unix.NFTA_NG_DREG, uint32(to))
		a.u32(unix.NFTA_NG_MODULUS, modulus)
		a.u32(unix.NFTA_NG_TYPE, unix.NFT_NG_RANDOM)
		a.u32(unix.NFTA_NG_OFFSET, 0)
	}}
}

// Hash puts a seeded hash, below modulus, of length bytes from a register on
// into another register, in the machine's order.
func Hash(from Reg, length int, to Reg, modulus, seed uint32) Expr {
	return Expr{name: "hash", fill: func(a *attrs) {
		a.u32(unix.NFTA_HASH_SREG, uint32(from))
		a.u32(unix.NFTA_HASH_DREG, uint32(to))
		a.u32(unix.NFTA_HASH_LEN, uint32(length))
		a.u32(unix.NFTA_HASH_MODULUS, modulus)
		a.u32(unix.NFTA_HASH_SEED, seed)
		a.u32(unix.NFTA_HASH_OFFSET, 0)
		a.u32(unix.NFTA_HASH_TYPE, unix.NFT_HASH_JENKINS)
	}}
}

// Redirect sends a new flow to this machine, to the port that is in a register
// in network order.
func Redirect(port Reg) Expr {
	return Expr{name: "redir", fill: func(a *attrs) {
		a.u32(unix.NFTA_REDIR_REG_PROTO_MIN, uint32(port))
	}}
}

// Native is a number as registers hold those of the machine.
func Native(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
