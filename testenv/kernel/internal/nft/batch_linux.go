package nft

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// Batch is a transaction on one table, in the making. It is used once.
type Batch struct {
	table string
	buf   attrs
	at    []int    // where each message begins
	what  []string // what each does, for errors
	sets  uint32
}

// New returns an empty transaction on a table.
func New(table string) *Batch {
	b := &Batch{table: table}
	b.message(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, func(*attrs) {})
	return b
}

// Size is how many bytes the transaction has so far.
func (b *Batch) Size() int { return len(b.buf) }

// message appends a netlink message.
func (b *Batch) message(kind, flags, family, resource int, fill func(*attrs)) {
	at := len(b.buf)
	b.at = append(b.at, at)
	b.buf = append(b.buf, make([]byte, unix.NLMSG_HDRLEN)...)
	b.buf = append(b.buf, byte(family), unix.NFNETLINK_V0)
	b.buf = binary.BigEndian.AppendUint16(b.buf, uint16(resource))
	fill(&b.buf)
	binary.NativeEndian.PutUint32(b.buf[at:], uint32(len(b.buf)-at))
	binary.NativeEndian.PutUint16(b.buf[at+4:], uint16(kind))
	binary.NativeEndian.PutUint16(b.buf[at+6:], uint16(flags|unix.NLM_F_REQUEST))
}

func (b *Batch) order(kind, flags int, what string, fill func(*attrs)) {
	b.what = append(b.what, what)
	b.message(unix.NFNL_SUBSYS_NFTABLES<<8|kind, flags, unix.NFPROTO_INET, 0, fill)
}

// seal ends the batch and numbers its messages. The last order asks to be
// acknowledged; what fails is told of in any case.
func (b *Batch) seal(first uint32) {
	last := b.at[len(b.at)-1] + 6
	binary.NativeEndian.PutUint16(b.buf[last:], binary.NativeEndian.Uint16(b.buf[last:])|unix.NLM_F_ACK)
	b.message(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, func(*attrs) {})
	for i, at := range b.at {
		binary.NativeEndian.PutUint32(b.buf[at+8:], first+uint32(i))
	}
}

// label says what message i does; 0 is the beginning of the batch.
func (b *Batch) label(i uint32) string {
	if i == 0 || int(i) > len(b.what) {
		return "commit"
	}
	return b.what[i-1]
}

// Table makes the table, if it is not there.
func (b *Batch) Table() {
	b.order(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, "table "+b.table, func(a *attrs) {
		a.text(unix.NFTA_TABLE_NAME, b.table)
		a.u32(unix.NFTA_TABLE_FLAGS, 0)
	})
}

// Hook is a place on a packet's way through the kernel.
type Hook struct {
	// Kind is "filter" or "nat".
	Kind string
	// Number is one of unix.NF_INET_...
	Number uint32
	// Priority orders the chains of one hook, lower ones first.
	Priority int32
}

// Chain makes a chain, if it is not there. With a hook, packets pass through
// it; without one, rules lead into it.
func (b *Batch) Chain(name string, h *Hook) {
	b.order(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, "chain "+name, func(a *attrs) {
		a.text(unix.NFTA_CHAIN_TABLE, b.table)
		a.text(unix.NFTA_CHAIN_NAME, name)
		if h == nil {
			return
		}
		a.nest(unix.NFTA_CHAIN_HOOK, func(a *attrs) {
			a.u32(unix.NFTA_HOOK_HOOKNUM, h.Number)
			a.u32(unix.NFTA_HOOK_PRIORITY, uint32(h.Priority))
		})
		a.text(unix.NFTA_CHAIN_TYPE, h.Kind)
	})
}

// DeleteChain removes a chain that no rule leads into.
func (b *Batch) DeleteChain(name string) {
	b.order(unix.NFT_MSG_DELCHAIN, 0, "delete chain "+name, func(a *attrs) {
		a.text(unix.NFTA_CHAIN_TABLE, b.table)
		a.text(unix.NFTA_CHAIN_NAME, name)
	})
}

// Flush removes all rules of a chain.
func (b *Batch) Flush(chain string) {
	b.order(unix.NFT_MSG_DELRULE, 0, "flush "+chain, func(a *attrs) {
		a.text(unix.NFTA_RULE_TABLE, b.table)
		a.text(unix.NFTA_RULE_CHAIN, chain)
	})
}

// Rule adds a rule at the end of a chain.
func (b *Batch) Rule(chain string, exprs ...Expr) {
	b.order(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, "rule in "+chain, func(a *attrs) {
		a.text(unix.NFTA_RULE_TABLE, b.table)
		a.text(unix.NFTA_RULE_CHAIN, chain)
		a.nest(unix.NFTA_RULE_EXPRESSIONS, func(a *attrs) {
			for _, e := range exprs {
				e.encode(a)
			}
		})
	})
}

// Counter makes a named counter, at zero.
func (b *Batch) Counter(name string) {
	b.order(unix.NFT_MSG_NEWOBJ, unix.NLM_F_CREATE, "counter "+name, func(a *attrs) {
		a.text(unix.NFTA_OBJ_TABLE, b.table)
		a.text(unix.NFTA_OBJ_NAME, name)
		a.u32(unix.NFTA_OBJ_TYPE, unix.NFT_OBJECT_COUNTER)
		a.nest(unix.NFTA_OBJ_DATA, func(a *attrs) {
			a.u64(unix.NFTA_COUNTER_BYTES, 0)
			a.u64(unix.NFTA_COUNTER_PACKETS, 0)
		})
	})
}

// Set describes a set of keys.
type Set struct {
	Name string
	// Fields are the lengths in bytes of what a key consists of. In a key, as
	// in registers, each takes a multiple of four bytes.
	Fields []int
	// Interval makes its elements ranges.
	Interval bool
	// Dynamic lets rules add elements, at most Size of them, each forgotten
	// after Timeout without use; zero: never.
	Dynamic bool
	Size    uint32
	Timeout time.Duration
}

// Set makes a set, if it is not there.
func (b *Batch) Set(s Set) {
	const concatenation = 0x80 // NFT_SET_CONCAT
	const fields = 2           // NFTA_SET_DESC_CONCAT
	flags, length := 0, 0
	if s.Interval {
		flags |= unix.NFT_SET_INTERVAL
		if len(s.Fields) > 1 {
			flags |= concatenation
		}
	}
	if s.Dynamic {
		flags |= unix.NFT_SET_EVAL
	}
	if s.Timeout > 0 {
		flags |= unix.NFT_SET_TIMEOUT
	}
	for _, f := range s.Fields {
		length += (f + 3) &^ 3
	}
	if len(s.Fields) == 1 {
		length = s.Fields[0]
	}
	b.sets++
	b.order(unix.NFT_MSG_NEWSET, unix.NLM_F_CREATE, "set "+s.Name, func(a *attrs) {
		a.text(unix.NFTA_SET_TABLE, b.table)
		a.text(unix.NFTA_SET_NAME, s.Name)
		a.u32(unix.NFTA_SET_FLAGS, uint32(flags))
		a.u32(unix.NFTA_SET_KEY_TYPE, 0)
		a.u32(unix.NFTA_SET_KEY_LEN, uint32(length))
		a.u32(unix.NFTA_SET_ID, b.sets)
		if s.Timeout > 0 {
			a.u64(unix.NFTA_SET_TIMEOUT, uint64(s.Timeout.Milliseconds()))
		}
		if s.Size == 0 && flags&concatenation == 0 {
			return
		}
		a.nest(unix.NFTA_SET_DESC, func(a *attrs) {
			if s.Size > 0 {
				a.u32(unix.NFTA_SET_DESC_SIZE, s.Size)
			}
			if flags&concatenation == 0 {
				return
			}
			a.nest(fields, func(a *attrs) {
				for _, f := range s.Fields {
					a.nest(unix.NFTA_LIST_ELEM, func(a *attrs) { a.u32(1, uint32(f)) }) // NFTA_SET_FIELD_LEN
				}
			})
		})
	})
}

// DeleteSet removes a set that no rule uses.
func (b *Batch) DeleteSet(name string) {
	b.order(unix.NFT_MSG_DELSET, 0, "delete set "+name, func(a *attrs) {
		a.text(unix.NFTA_SET_TABLE, b.table)
		a.text(unix.NFTA_SET_NAME, name)
	})
}

// Element is a key of a set.
type Element struct {
	Key []byte
	// Last, in an interval set of several fields, is the other end of the
	// range, which is in it.
	Last []byte
	// End, in an interval set of one field, marks a key as the first that is no
	// longer in the range that began before.
	End bool
}

// perMessage is how many elements a message has at most: their list is an
// attribute, whose length has 16 bits.
const perMessage = 65000 / (4 + 8 + 2*(8+40))

// Add adds elements to a set.
func (b *Batch) Add(set string, elements ...Element) {
	b.elements(unix.NFT_MSG_NEWSETELEM, unix.NLM_F_CREATE, "add to "+set, set, elements)
}

// Delete takes elements out of a set. That they are in it is for the caller to
// see to.
func (b *Batch) Delete(set string, elements ...Element) {
	b.elements(unix.NFT_MSG_DELSETELEM, 0, "take from "+set, set, elements)
}

func (b *Batch) elements(kind, flags int, what, set string, elements []Element) {
	const last = 10 // NFTA_SET_ELEM_KEY_END
	for len(elements) > 0 {
		n := min(len(elements), perMessage)
		b.order(kind, flags, what, func(a *attrs) {
			a.text(unix.NFTA_SET_ELEM_LIST_TABLE, b.table)
			a.text(unix.NFTA_SET_ELEM_LIST_SET, set)
			list := a.begin(unix.NFTA_SET_ELEM_LIST_ELEMENTS)
			for _, e := range elements[:n] {
				at := a.begin(unix.NFTA_LIST_ELEM)
				if e.End {
					a.u32(unix.NFTA_SET_ELEM_FLAGS, unix.NFT_SET_ELEM_INTERVAL_END)
				}
				a.data(unix.NFTA_SET_ELEM_KEY, e.Key)
				if e.Last != nil {
					a.data(last, e.Last)
				}
				a.end(at)
			}
			a.end(list)
		})
		elements = elements[n:]
	}
}
