package nft

import (
	"encoding/binary"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Tally is what a counter has counted.
type Tally struct{ Packets, Bytes uint64 }

// Counter reads a named counter.
func (c *Conn) Counter(table, name string) (t Tally, err error) {
	err = c.ask(unix.NFT_MSG_GETOBJ, 0, func(a *attrs) {
		a.text(unix.NFTA_OBJ_TABLE, table)
		a.text(unix.NFTA_OBJ_NAME, name)
		a.u32(unix.NFTA_OBJ_TYPE, unix.NFT_OBJECT_COUNTER)
	}, func(body []byte) {
		each(body, func(kind int, value []byte) {
			if kind == unix.NFTA_OBJ_DATA {
				t = tally(value)
			}
		})
	})
	if err != nil {
		return t, fmt.Errorf("nftables: counter %s: %w", name, err)
	}
	return t, nil
}

// Tallies are what the elements of a set have counted, by their keys.
type Tallies map[string]Tally

// note enters an element, and reports whether it was there already.
func (t Tallies) note(key []byte, n Tally) (again bool) {
	old, again := t[string(key)]
	t[string(key)] = Tally{max(old.Packets, n.Packets), max(old.Bytes, n.Bytes)}
	return again
}

// rereads is how often a set is read once more.
const rereads = 5

// Counted reads a set. Linux tells of one that grows meanwhile by continuing where
// it was in an order that has changed: what comes twice has taken the place of
// something that did not come, so that the set is read once more.
func (c *Conn) Counted(table, set string) (Tallies, error) {
	all := make(Tallies)
	for range rereads {
		once := make(Tallies)
		again := false
		err := c.read(table, set, func(key []byte, t Tally) {
			again = once.note(key, t) || again
			all.note(key, t)
		})
		if err != nil {
			return nil, err
		}
		if !again {
			break
		}
	}
	return all, nil
}

// read calls take for every element, with what its counter says. The key is valid
// during the call only.
func (c *Conn) read(table, set string, take func(key []byte, t Tally)) error {
	err := c.ask(unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP, func(a *attrs) {
		a.text(unix.NFTA_SET_ELEM_LIST_TABLE, table)
		a.text(unix.NFTA_SET_ELEM_LIST_SET, set)
	}, func(body []byte) {
		each(body, func(kind int, value []byte) {
			if kind == unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				each(value, func(_ int, value []byte) { element(value, take) })
			}
		})
	})
	if err != nil {
		return fmt.Errorf("nftables: read set %s: %w", set, err)
	}
	return nil
}

func element(b []byte, take func(key []byte, t Tally)) {
	var key []byte
	var count Tally
	each(b, func(kind int, value []byte) {
		switch kind {
		case unix.NFTA_SET_ELEM_KEY:
			each(value, func(kind int, value []byte) {
				if kind == unix.NFTA_DATA_VALUE {
					key = value
				}
			})
		case unix.NFTA_SET_ELEM_EXPR:
			each(value, func(kind int, value []byte) {
				if kind == unix.NFTA_EXPR_DATA {
					count = tally(value)
				}
			})
		}
	})
	if key != nil {
		take(key, count)
	}
}

func tally(b []byte) (t Tally) {
	each(b, func(kind int, value []byte) {
		switch {
		case len(value) < 8:
		case kind == unix.NFTA_COUNTER_BYTES:
			t.Bytes = binary.BigEndian.Uint64(value)
		case kind == unix.NFTA_COUNTER_PACKETS:
			t.Packets = binary.BigEndian.Uint64(value)
		}
	})
	return t
}

// ask sends one request outside of a transaction, and hands over the bodies of
// its answers.
func (c *Conn) ask(kind, flags int, fill func(*attrs), take func(body []byte)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b Batch
	b.message(unix.NFNL_SUBSYS_NFTABLES<<8|kind, flags|unix.NLM_F_ACK, unix.NFPROTO_INET, 0, fill)
	c.seq++
	binary.NativeEndian.PutUint32(b.buf[8:], c.seq)
	if _, err := c.file.Write(b.buf); err != nil {
		return err
	}
	var failed error
	err := c.replies(c.seq, func(h header, body []byte) (done bool) {
		switch {
		case h.kind == unix.NLMSG_DONE:
			return true
		case h.kind == unix.NLMSG_ERROR:
			if len(body) >= 4 {
				if code := -int32(binary.NativeEndian.Uint32(body)); code != 0 {
					failed = syscall.Errno(code)
				}
			}
			return true
		case len(body) > genmsg:
			take(body[genmsg:])
		}
		return false
	})
	if failed != nil {
		return failed
	}
	return err
}
