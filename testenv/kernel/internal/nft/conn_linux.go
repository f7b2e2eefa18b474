package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds how long the kernel may take to answer. It answers within the
// call that asks, except on a machine that stands still.
const patience = 30 * time.Second

// Conn is a netlink socket of one network namespace. It is safe for concurrent
// use; one transaction goes on at a time.
type Conn struct {
	mu   sync.Mutex
	file *os.File
	seq  uint32
	room int
	in   []byte
}

// Dial opens a socket in the network namespace of the calling thread. It stays
// in that namespace, whoever uses it.
func Dial() (*Conn, error) {
	f, err := socket()
	if err != nil {
		return nil, err
	}
	c := &Conn{file: f, in: make([]byte, 1<<17)}
	if c.room, err = enlarge(f, unix.SO_SNDBUF, unix.SO_SNDBUFFORCE, 8<<20); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

// socket is a netlink socket for netfilter that Go's poller waits for.
func socket() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}

// enlarge sets a socket buffer as large as allowed, up to size, and returns how
// many bytes fit in.
func enlarge(f *os.File, plain, force, size int) (room int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	inner := raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, force, size) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, plain, size)
		}
		room, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, plain)
	})
	return room, errors.Join(err, inner)
}

// Close closes the socket.
func (c *Conn) Close() error { return c.file.Close() }

// Room is how many bytes a transaction can have: without privileges in the
// machine's own namespace, some hundred KiB.
func (c *Conn) Room() int { return c.room - 4096 }

// Commit carries out a batch: all of it, or nothing. An empty one does nothing.
func (c *Conn) Commit(b *Batch) error {
	if len(b.what) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.seq + 1
	b.seal(first)
	c.seq += uint32(len(b.what)) + 2
	if _, err := c.file.Write(b.buf); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	last := first + uint32(len(b.what))
	var failed []error
	err := c.replies(first, func(h header, body []byte) (done bool) {
		if h.kind != unix.NLMSG_ERROR || len(body) < 4 {
			return false
		}
		if code := -int32(binary.NativeEndian.Uint32(body)); code != 0 {
			failed = append(failed, fmt.Errorf("nftables: %s: %w", b.label(h.seq-first), syscall.Errno(code)))
		}
		return h.seq == last || h.seq == first
	})
	return errors.Join(append(failed, err)...)
}

// genmsg is the length of what every netfilter message begins with.
const genmsg = 4

type header struct {
	kind  uint16
	flags uint16
	seq   uint32
}

// replies hands over the messages that answer requests from the number first
// on, until done.
func (c *Conn) replies(first uint32, take func(h header, body []byte) (done bool)) error {
	if err := c.file.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	for {
		n, err := c.file.Read(c.in)
		if err != nil {
			return fmt.Errorf("nftables: %w", err)
		}
		done := false
		messages(c.in[:n], func(h header, body []byte) {
			if int32(h.seq-first) >= 0 && take(h, body) {
				done = true
			}
		})
		if done {
			return nil
		}
	}
}

// messages calls f for every netlink message of b.
func messages(b []byte, f func(h header, body []byte)) {
	for len(b) >= unix.NLMSG_HDRLEN {
		n := int(binary.NativeEndian.Uint32(b))
		if n < unix.NLMSG_HDRLEN || n > len(b) {
			return
		}
		f(header{
			kind:  binary.NativeEndian.Uint16(b[4:]),
			flags: binary.NativeEndian.Uint16(b[6:]),
			seq:   binary.NativeEndian.Uint32(b[8:]),
		}, b[unix.NLMSG_HDRLEN:n])
		b = b[min((n+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1), len(b)):]
	}
}
