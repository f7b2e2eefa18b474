package memnet

import (
	"math/bits"
	"sync"
)

// ring holds a stretch of a byte stream, from base to end, in a buffer whose
// size is a power of two. It has no buffer while it is empty.
type ring struct {
	base, end int64
	buf       *[]byte
}

// Buffers come in sizes from 512 bytes to 2 MiB and are shared by all rings.
const smallest, sizes = 9, 13

var buffers [sizes]sync.Pool

func takeBuffer(n int) *[]byte {
	class := max(bits.Len(uint(n-1)), smallest) - smallest
	if b, ok := buffers[class].Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 1<<(class+smallest))
	return &b
}

func giveBuffer(b *[]byte) {
	buffers[bits.Len(uint(len(*b)))-1-smallest].Put(b)
}

// write appends p.
func (r *ring) write(p []byte) {
	if len(p) == 0 {
		return
	}
	if need := int(r.end-r.base) + len(p); r.buf == nil || need > len(*r.buf) {
		r.grow(need)
	}
	for len(p) > 0 {
		n := copy(r.span(r.end, len(p)), p)
		r.end += int64(n)
		p = p[n:]
	}
}

func (r *ring) grow(need int) {
	old := *r
	r.buf = takeBuffer(need)
	for at := old.base; at < old.end; {
		from := old.span(at, int(old.end-at))
		n := copy(r.span(at, len(from)), from)
		at += int64(n)
	}
	if old.buf != nil {
		giveBuffer(old.buf)
	}
}

// read copies from position at, which must not lie before base.
func (r *ring) read(p []byte, at int64) int {
	n := 0
	for want := min(len(p), int(r.end-at)); n < want; {
		n += copy(p[n:want], r.span(at+int64(n), want-n))
	}
	return n
}

// span is the contiguous part of the buffer for up to n bytes from at.
func (r *ring) span(at int64, n int) []byte {
	b := *r.buf
	i := int(at) & (len(b) - 1)
	return b[i:min(i+n, len(b))]
}

// peek returns up to n bytes from at, without copying if they lie in one piece.
func (r *ring) peek(at int64, n int) []byte {
	n = min(n, int(r.end-at))
	if n <= 0 {
		return nil
	}
	if s := r.span(at, n); len(s) == n {
		return s
	}
	p := make([]byte, n)
	r.read(p, at)
	return p
}

// discard forgets what lies before position to.
func (r *ring) discard(to int64) {
	if to = min(to, r.end); to > r.base {
		r.base = to
	}
	if r.base == r.end {
		r.release()
	}
}

// release forgets everything.
func (r *ring) release() {
	r.base = r.end
	if r.buf != nil {
		giveBuffer(r.buf)
		r.buf = nil
	}
}
