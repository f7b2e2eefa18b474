package lab

import (
	"encoding/binary"
	"errors"
	"io"
)

// Content is a file of a given size that is made up while it is read: each byte
// follows from where it stands, and no stretch resembles another. It is an
// [io.ReadSeeker] for one goroutine.
type Content struct {
	size, at int64
}

// NewContent returns the content of a size in bytes, at its beginning.
func NewContent(size int64) *Content { return &Content{size: size} }

// Read implements [io.Reader].
func (c *Content) Read(p []byte) (int, error) {
	if c.at >= c.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), c.size-c.at)]
	n := 0
	for n < len(p) {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], scramble(uint64(c.at/8)))
		m := copy(p[n:], word[c.at%8:])
		n += m
		c.at += int64(m)
	}
	return n, nil
}

var errSeek = errors.New("lab: seek to before the beginning")

// Seek implements [io.Seeker].
func (c *Content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, errSeek
	}
	c.at = offset
	return offset, nil
}

// scramble is SplitMix64's output function (Steele, Lea and Flood, 2014).
func scramble(n uint64) uint64 {
	n = (n + 1) * 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
