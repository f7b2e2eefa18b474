package nft

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAttributesComeBack(t *testing.T) {
	var a attrs
	a.text(1, "abc")
	a.u16(2, 0x0102)
	a.nest(3, func(a *attrs) { a.u64(4, 5) })
	if len(a)%unix.NLA_ALIGNTO != 0 {
		t.Errorf("%d bytes are no whole words", len(a))
	}
	var kinds []int
	each(a, func(kind int, value []byte) {
		kinds = append(kinds, kind)
		switch kind {
		case 1:
			if !bytes.Equal(value, []byte("abc\x00")) {
				t.Errorf("text %q", value)
			}
		case 2:
			if !bytes.Equal(value, []byte{1, 2}) {
				t.Errorf("number %v", value)
			}
		case 3:
			each(value, func(kind int, value []byte) {
				if kind != 4 || value[7] != 5 {
					t.Errorf("nested %d: %v", kind, value)
				}
			})
		}
	})
	if len(kinds) != 3 {
		t.Errorf("kinds %v", kinds)
	}
}

// A batch's messages are whole, and numbered.
func TestBatch(t *testing.T) {
	b := New("t")
	b.Table()
	b.Set(Set{Name: "s", Fields: []int{1, 4}, Interval: true})
	b.Add("s", make([]Element, 3*perMessage)...)
	b.Rule("c", Protocol(unix.NFPROTO_IPV4), TCP(), Drop())
	b.seal(7)
	next := uint32(7)
	messages(b.buf, func(h header, _ []byte) {
		if h.seq != next {
			t.Errorf("message %d, want %d", h.seq, next)
		}
		next++
	})
	if want := uint32(7 + 2 + len(b.what)); next != want || len(b.what) != 1+1+3+1 {
		t.Errorf("%d messages with %d orders", next-7, len(b.what))
	}
}

// An element that comes twice is counted once, as it was last.
func TestTallies(t *testing.T) {
	all := make(Tallies)
	for i, again := range []bool{false, true, false} {
		key := []byte{1, 2, byte(i / 2)}
		if got := all.note(key, Tally{uint64(i + 1), uint64(100 * (i + 1))}); got != again {
			t.Errorf("element %d has been there: %v", i, got)
		}
	}
	if len(all) != 2 || all["\x01\x02\x00"] != (Tally{2, 200}) || all["\x01\x02\x01"] != (Tally{3, 300}) {
		t.Errorf("%v", all)
	}
}

// What the kernel never sends harms nothing.
func FuzzMessages(f *testing.F) {
	b := New("t")
	b.Add("s", Element{Key: []byte{1, 2, 3, 4}, End: true})
	b.seal(1)
	f.Add([]byte(b.buf))
	f.Fuzz(func(_ *testing.T, b []byte) {
		var w Watcher
		messages(b, func(_ header, body []byte) {
			each(body, func(_ int, value []byte) {
				each(value, func(_ int, value []byte) { element(value, func([]byte, Tally) {}) })
			})
			w.packet(body, func(string, []byte) {})
		})
	})
}
