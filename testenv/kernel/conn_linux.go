package kernel

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// conn is a connection of a host in the middle: one whose calls can be held up.
// It is none that the kernel could copy from or to by itself: what the kernel
// does would not stop when the process does.
type conn struct {
	tcp    *net.TCPConn
	host   *Host
	once   sync.Once
	closed chan struct{}
}

// Read and Write are those of the connection, while the process does not hang.
func (c *conn) Read(b []byte) (int, error) {
	c.host.gate.pass(c.closed)
	n, err := c.tcp.Read(b)
	c.host.gate.pass(c.closed)
	return n, c.judge("read", err)
}

func (c *conn) Write(b []byte) (int, error) {
	c.host.gate.pass(c.closed)
	n, err := c.tcp.Write(b)
	c.host.gate.pass(c.closed)
	return n, c.judge("write", err)
}

// judge turns the error of a call that Close has woken into what Close means.
func (c *conn) judge(op string, err error) error {
	if err == nil || errors.Is(err, io.EOF) || !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	select {
	case <-c.closed:
		return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: net.ErrClosed}
	default:
		return err
	}
}

// Close closes the connection; if the process hangs, when it resumes.
func (c *conn) Close() error {
	err := error(&net.OpError{Op: "close", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: net.ErrClosed})
	c.once.Do(func() {
		close(c.closed)
		if c.host.gate.putOff(func() { c.forget(); _ = c.tcp.Close() }) {
			err = c.tcp.SetDeadline(time.Unix(1, 0)) // wakes who reads and writes
			return
		}
		c.forget()
		err = c.tcp.Close()
	})
	return err
}

func (c *conn) forget() {
	c.host.mu.Lock()
	delete(c.host.conns, c)
	c.host.mu.Unlock()
}

// kill ends it with RST, at once.
func (c *conn) kill() {
	c.once.Do(func() { close(c.closed) })
	abort(c.tcp)
}

// CloseRead and CloseWrite shut down one direction.
func (c *conn) CloseRead() error { return c.tcp.CloseRead() }

func (c *conn) CloseWrite() error {
	c.host.gate.pass(c.closed)
	return c.tcp.CloseWrite()
}

func (c *conn) LocalAddr() net.Addr                            { return c.tcp.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr                           { return c.tcp.RemoteAddr() }
func (c *conn) SetDeadline(t time.Time) error                  { return c.tcp.SetDeadline(t) }
func (c *conn) SetReadDeadline(t time.Time) error              { return c.tcp.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error             { return c.tcp.SetWriteDeadline(t) }
func (c *conn) SetLinger(seconds int) error                    { return c.tcp.SetLinger(seconds) }
func (c *conn) SetNoDelay(on bool) error                       { return c.tcp.SetNoDelay(on) }
func (c *conn) SetReadBuffer(bytes int) error                  { return c.tcp.SetReadBuffer(bytes) }
func (c *conn) SetWriteBuffer(bytes int) error                 { return c.tcp.SetWriteBuffer(bytes) }
func (c *conn) SetKeepAlive(on bool) error                     { return c.tcp.SetKeepAlive(on) }
func (c *conn) SetKeepAliveConfig(k net.KeepAliveConfig) error { return c.tcp.SetKeepAliveConfig(k) }
func (c *conn) SyscallConn() (syscall.RawConn, error)          { return c.tcp.SyscallConn() }

var _ net.Conn = (*conn)(nil)
