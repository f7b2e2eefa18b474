package memnet

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

type state uint8

const (
	idle    state = iota // no handshake has begun
	opening              // the handshake is under way
	open
	dead // nothing is sent or accepted any more
)

// Conn is one end of a connection. It implements [net.Conn] with addresses of
// type *net.TCPAddr, and those methods of [net.TCPConn] that concern the
// connection rather than the descriptor. All methods are safe for concurrent
// use.
type Conn struct {
	l        *link
	dialer   bool
	host     *Host
	listener *Listener
	addr     netip.AddrPort
	state    state

	// What the process has done.
	closed    bool // Close
	postponed bool // Close while the host hangs
	readShut  bool // CloseRead
	fin       bool // CloseWrite or Close
	abortive  bool // SetLinger(0)
	reading   int  // calls of Read that wait
	blocked   int  // calls of Write that wait
	writing   bool // a call of Write is under way
	readBy    instant
	writeBy   instant
	rd, wr    sync.Cond

	// What the kernel knows. See send.go and receive.go.
	err   error // what the connection has failed with
	told  bool  // the process has been told so
	soft  error // an ICMP error that did not end it
	ghost bool  // the machine is gone
	doom  instant
	fate  error

	out         ring  // what has been written and may still be needed by either end
	una         int64 // acknowledged up to here
	nxt         int64 // sent up to here, in this round
	high        int64 // sent up to here, ever
	edge        int64 // the peer takes bytes up to here
	lost        bool  // packets are missing: wait before going on
	lostFrom    int64
	retry       instant
	since       instant // when the present trouble began
	persisting  bool
	backoff     int
	undone      int // doublings that an ICMP error has undone
	retransmits int
	probes      int
	wire        wire // what is on its way to the peer
	board       *board
	segments    int64 // sent in all
	resent      int64
	rtoMax      instant
	patience    instant // user timeout; 0: none

	rcvd       int64 // received from the peer up to here
	read       int64 // and handed to the process up to here
	advertised int64 // the highest edge that the peer has been told
	lastHeard  instant
	lastRecv   instant
	arrived    uint32 // the last segment in the order of the peer's sending
	came       int64  // segments received in all
	disordered int64

	keep                instant
	keepIdle, keepEvery instant
	keepCount           int
}

var _ interface {
	net.Conn
	io.WriterTo
} = (*Conn)(nil)

func (c *Conn) init(l *link, addr netip.AddrPort) {
	c.l, c.addr = l, addr
	c.rd.L, c.wr.L = &l.mu, &l.mu
	c.readBy, c.writeBy = never, never
	c.doom, c.retry, c.keep = never, never, never
	c.rtoMax = rtoMax
	c.keepIdle, c.keepEvery, c.keepCount = 15*time.Second, 15*time.Second, 9
	c.edge, c.advertised = window, window
}

func (c *Conn) peer() *Conn {
	if c.dialer {
		return &c.l.ends[1]
	}
	return &c.l.ends[0]
}

// LocalAddr is this end's address, a *net.TCPAddr.
func (c *Conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.addr) }

// RemoteAddr is the other end's address, a *net.TCPAddr.
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.peer().addr) }

// Read waits for data. Its errors are those of a TCP socket: io.EOF after the
// peer's end of stream, ECONNRESET, ETIMEDOUT, os.ErrDeadlineExceeded,
// net.ErrClosed, all but the first in a *net.OpError. What has come in before a
// failure can still be read. As on a kernel, a failure is told once, to whoever
// reads or writes first: after that Read returns io.EOF, and Write EPIPE.
func (c *Conn) Read(p []byte) (int, error) {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if err := c.awaitData(len(p) == 0); err != nil {
		return 0, err
	}
	return c.consume(p), nil
}

// WriteTo writes to w until the stream ends, as io.Copy would, with a buffer
// that is held only while there is data.
func (c *Conn) WriteTo(w io.Writer) (total int64, err error) {
	for {
		c.l.mu.Lock()
		if err := c.awaitData(false); err != nil {
			c.l.mu.Unlock()
			if err == io.EOF { //nolint:errorlint // awaitData gives it bare
				err = nil
			}
			return total, err
		}
		b := takeBuffer(int(min(c.unread(), copySize)))
		n := c.consume(*b)
		c.l.mu.Unlock()
		m, err := w.Write((*b)[:n])
		giveBuffer(b)
		total += int64(m)
		if err == nil && m < n {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total, err
		}
	}
}

const copySize = 64 << 10

// awaitData returns nil once there is something to read, or at once if the
// caller wants nothing.
func (c *Conn) awaitData(nothing bool) error {
	for {
		hung := c.host.hung.Load()
		switch {
		case c.closed:
			return c.opError("read", net.ErrClosed)
		case hung:
		case c.readBy != never && c.l.net.now() >= c.readBy:
			return c.opError("read", os.ErrDeadlineExceeded)
		case c.unread() > 0 || nothing:
			return nil
		case c.readShut || c.ended():
			return io.EOF
		case c.told:
			return io.EOF
		case c.err != nil:
			c.told = true
			return c.opError("read", c.err)
		}
		c.reading++
		if !hung {
			c.l.rearm(c.l.net.now())
		}
		c.rd.Wait()
		c.reading--
	}
}

// unread is how many bytes can be read.
func (c *Conn) unread() int64 { return min(c.rcvd, c.peer().out.end) - c.read }

// ended reports whether the peer's end of stream has come in.
func (c *Conn) ended() bool { return c.rcvd > c.peer().out.end }

func (c *Conn) consume(p []byte) int {
	n := c.peer().out.read(p[:min(int64(len(p)), c.unread())], c.read)
	c.read += int64(n)
	c.peer().forgetSent()
	if c.state == open && c.read+window-c.advertised >= window/4 && c.advertised-c.rcvd < window/2 {
		now := c.l.net.now()
		c.acknowledge(now, 1)
		c.l.settle(now)
		c.l.rearm(now)
	}
	return n
}

// Write puts p into the send buffer, waiting for room as long as there is none:
// on a good path about as long as the other side does not read, on a dead one
// after about 78 kB. That bytes have been written says nothing about their
// arrival.
func (c *Conn) Write(p []byte) (n int, err error) {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	for c.writing && !c.closed {
		c.wr.Wait()
	}
	c.writing = true
	defer func() {
		c.writing = false
		c.wr.Broadcast()
	}()
	for {
		if c.host.hung.Load() && !c.closed {
			c.wr.Wait()
			continue
		}
		now := c.l.net.now()
		switch {
		case c.closed:
			return n, c.opError("write", net.ErrClosed)
		case c.writeBy != never && now >= c.writeBy:
			return n, c.opError("write", os.ErrDeadlineExceeded)
		case n == len(p) && n > 0:
			return n, nil // what comes of it is for the next call
		case c.err != nil && !c.told:
			c.told = true
			return n, c.opError("write", c.err)
		case c.err != nil || c.fin:
			return n, c.opError("write", syscall.EPIPE)
		case n == len(p):
			return n, nil
		}
		room := c.room()
		if room <= 0 {
			c.l.settle(now)
			room = c.room()
		}
		if room <= 0 {
			c.blocked++
			c.l.rearm(now)
			c.wr.Wait()
			c.blocked--
			continue
		}
		m := min(len(p)-n, room)
		c.out.write(p[n : n+m])
		n += m
		c.transmit(now)
		c.l.settle(now)
		c.l.rearm(now)
	}
}

// CloseWrite ends the stream towards the peer, after what has been written.
func (c *Conn) CloseWrite() error {
	return c.operate("close", func(now instant) {
		c.fin = true
		c.wr.Broadcast()
		c.transmit(now)
	})
}

// CloseRead makes Read return io.EOF from now on. What comes in is
// acknowledged and thrown away.
func (c *Conn) CloseRead() error {
	return c.operate("close", func(instant) {
		c.readShut = true
		c.throwAway()
		c.rd.Broadcast()
	})
}

// Close gives the connection up. If data has come in that was not read, or
// after SetLinger(0), the peer gets an RST; else what has been written is still
// delivered in the background, and then the end of the stream.
func (c *Conn) Close() error {
	return c.operate("close", func(now instant) {
		c.closed = true
		if c.host.hung.Load() {
			c.postponed = true
		} else {
			c.shutdown(now)
		}
		c.wake()
	})
}

// SetDeadline sets both deadlines. The zero time means none.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.setDeadlines(t, true, true)
}

// SetReadDeadline sets when Read gives up.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.setDeadlines(t, true, false)
}

// SetWriteDeadline sets when Write gives up.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadlines(t, false, true)
}

func (c *Conn) setDeadlines(t time.Time, read, write bool) error {
	by := never
	if !t.IsZero() {
		by = t.Sub(c.l.net.epoch)
	}
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if c.closed {
		return c.opError("set", net.ErrClosed)
	}
	if read {
		if c.readBy = by; c.reading > 0 {
			c.rd.Broadcast()
		}
	}
	if write {
		if c.writeBy = by; c.blocked > 0 {
			c.wr.Broadcast()
		}
	}
	return nil
}

// operate runs a change of the connection under its lock, and what follows
// from it. It fails if the connection has been closed.
func (c *Conn) operate(op string, do func(now instant)) error {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if c.closed {
		return c.opError(op, net.ErrClosed)
	}
	now := c.l.net.now()
	c.l.settle(now)
	do(now)
	c.l.settle(now)
	c.l.rearm(now)
	return nil
}

func (c *Conn) opError(op string, err error) error {
	return opError(op, c.addr, c.peer().addr, err)
}

// wake lets everybody who waits look again.
func (c *Conn) wake() {
	c.rd.Broadcast()
	c.wr.Broadcast()
}
