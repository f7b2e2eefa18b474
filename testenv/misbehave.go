package testenv

import (
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// The handlers below are for Host.Serve: what an endpoint's port can turn out
// to be.

// Tarpit accepts, reads and never says anything.
func Tarpit(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// Garbage answers the first bytes it gets with something that is no SOCKS5,
// and then reads on.
func Garbage(c net.Conn) {
	var b [1]byte
	if _, err := c.Read(b[:]); err != nil {
		return
	}
	_, _ = io.WriteString(c, badRequest)
	Tarpit(c)
}

const badRequest = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

// EndlessBanner sends a line of text at once and one more each second, for
// ever, whatever it gets. It is the tarpit for those who wait for a banner.
func EndlessBanner(c net.Conn) {
	broken := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		if _, err := io.Copy(io.Discard, c); err != nil {
			close(broken)
		}
	})
	defer reading.Wait()
	defer c.Close()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	line := strings.Repeat("x", 30) + "\r\n"
	for {
		if _, err := io.WriteString(c, line); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-broken:
			return
		}
	}
}

// CloseAtOnce closes each connection as soon as it is accepted.
func CloseAtOnce(net.Conn) {}

// NotSocks is a web server on the port: it waits for a request's head and
// answers it, or whatever is sent in its place, with 400, and closes.
func NotSocks(c net.Conn) {
	var b [4 << 10]byte
	if n, err := c.Read(b[:]); n == 0 && err != nil {
		return
	}
	_, _ = io.WriteString(c, badRequest)
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
	}
	Tarpit(c)
}
