package probe_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// endpoint is a fake one over net.Pipe.
type endpoint struct {
	latency time.Duration // of the TCP handshake
	refuse  error         // of the TCP handshake
	serve   func(c net.Conn)
	dials   atomic.Int32
}

func (e *endpoint) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	e.dials.Add(1)
	if e.latency < 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if e.latency > 0 {
		select {
		case <-time.After(e.latency):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if e.refuse != nil {
		return nil, e.refuse
	}
	here, there := net.Pipe()
	serve := e.serve
	go func() {
		defer there.Close()
		serve(there)
	}()
	return here, nil
}

// network dials endpoints by their address.
type network map[string]*endpoint

func (n network) dial(ctx context.Context, nw, address string) (net.Conn, error) {
	return n[address].dial(ctx, nw, address)
}

func spec(t testing.TB, s string) policy.Spec {
	t.Helper()
	sp, err := upstream.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// socks speaks the endpoint's side of a negotiation without authentication,
// and has connect answer the request: a reply, and what to do after success.
func socks(connect func(destination string) (byte, func(net.Conn))) func(net.Conn) {
	return func(c net.Conn) {
		greet(c)
		destination, err := readRequest(c)
		if err != nil {
			return
		}
		reply, then := connect(destination)
		if reply == 255 {
			_, _ = io.Copy(io.Discard, c) // silent until the other side leaves
			return
		}
		_, _ = c.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
		if reply == 0 {
			then(c)
		}
	}
}

func greet(c net.Conn) {
	b := make([]byte, 2)
	_, _ = io.ReadFull(c, b)
	_, _ = io.ReadFull(c, make([]byte, b[1]))
	_, _ = c.Write([]byte{5, 0})
}

func readRequest(c net.Conn) (string, error) {
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil {
		return "", err
	}
	if b[3] == 1 {
		rest := make([]byte, 5)
		_, err := io.ReadFull(c, rest)
		return fmt.Sprintf("%d.%d.%d.%d:%d", b[4], rest[0], rest[1], rest[2], int(rest[3])<<8|int(rest[4])), err
	}
	if b[3] != 3 {
		return "", errors.New("neither a name nor IPv4")
	}
	name := make([]byte, int(b[4])+2)
	_, err := io.ReadFull(c, name)
	n := len(name) - 2
	return fmt.Sprintf("%s:%d", name[:n], int(name[n])<<8|int(name[n+1])), err
}

// serveHTTP answers one request with size bytes, of which it sends the first
// part bytes, a pause between pieces of 4 KiB.
func serveHTTP(size, part int, pause time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		for sent := 0; sent < part; {
			if sent > 0 {
				time.Sleep(pause)
			}
			n := min(4096, part-sent)
			if _, err := io.WriteString(c, strings.Repeat("x", n)); err != nil {
				return
			}
			sent += n
		}
		if part < size {
			_, _ = io.Copy(io.Discard, c)
		}
	}
}

func serveStatus(status int) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n\r\n", status, http.StatusText(status))
	}
}

// own is an endpoint that serves the reserved name.
func own(then func(net.Conn)) func(net.Conn) {
	return socks(func(d string) (byte, func(net.Conn)) {
		if d == fmt.Sprintf("%s:%d", probe.ReservedHost, probe.ReservedPort) {
			return 0, then
		}
		return 4, nil
	})
}

// foreign is one that does not, and answers for the target t.lab:80.
func foreign(reply byte, then func(net.Conn)) func(net.Conn) {
	return socks(func(d string) (byte, func(net.Conn)) {
		if d == "t.lab:80" {
			return reply, then
		}
		return 4, nil
	})
}

var refused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// inBubble runs f in virtual time.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t)
		time.Sleep(time.Minute) // the fakes come to their end
	})
}
