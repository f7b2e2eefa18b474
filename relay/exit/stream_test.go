package exit_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay/exit"
)

// A body that breaks off must not look like one that has ended.
func TestResetReachesTheClient(t *testing.T) {
	spec := start(t, &exit.Server{Allow: loopback})
	abort := make(chan struct{})
	c, err := dial(t, spec, destination(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "half of it")
		<-abort
		_ = upstream.Abort(c)
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c, make([]byte, len("half of it"))); err != nil {
		t.Fatal(err)
	}
	close(abort)
	if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v, want a reset", err)
	}
}

func TestResetReachesTheDestination(t *testing.T) {
	spec := start(t, &exit.Server{Allow: loopback})
	seen := make(chan error, 1)
	c, err := dial(t, spec, destination(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "x")
		_, err := io.ReadAll(c)
		seen <- err
	}))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = upstream.Abort(c)
	if err := <-seen; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the destination sees %v, want a reset", err)
	}
}

// Each half ends by itself.
func TestDestinationClosesFirst(t *testing.T) {
	spec := start(t, &exit.Server{Allow: loopback})
	got := make(chan string, 1)
	c, err := dial(t, spec, destination(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "bye")
		c.CloseWrite()
		b, _ := io.ReadAll(c)
		got <- string(b)
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(c); string(b) != "bye" || err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	_, _ = io.WriteString(c, "I am still here")
	c.(*net.TCPConn).CloseWrite()
	if s := <-got; s != "I am still here" {
		t.Errorf("the destination got %q", s)
	}
}

func TestHalfClosedSilenceEnds(t *testing.T) {
	spec := start(t, &exit.Server{Allow: loopback, HalfClosedTimeout: 20 * time.Millisecond})
	release := make(chan struct{})
	c, err := dial(t, spec, destination(t, func(*net.TCPConn) { <-release }))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer close(release)
	_ = c.SetDeadline(time.Now().Add(patience))
	c.(*net.TCPConn).CloseWrite()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
}

func TestCloseCutsStreams(t *testing.T) {
	s := &exit.Server{Allow: loopback}
	spec := start(t, s)
	seen := make(chan error, 1)
	c, err := dial(t, spec, destination(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "x")
		_, err := io.ReadAll(c)
		seen <- err
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.ReadFull(c, make([]byte, 1))
	s.Close()
	if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v", err)
	}
	if err := <-seen; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the destination sees %v", err)
	}
}

func TestReservedNameSpeaksHTTP(t *testing.T) {
	spec := start(t, &exit.Server{})
	for _, tc := range []struct {
		request string
		status  int
		length  int64
		text    string
	}{
		{"GET /0 HTTP/1.1\r\nHost: x\r\n\r\n", 200, 0, ""},
		{"GET /4194304 HTTP/1.1\r\nHost: x\r\n\r\n", 200, 4 << 20, ""},
		{"HEAD /100 HTTP/1.1\r\nHost: x\r\n\r\n", 200, 0, ""},
		{"GET /4194305 HTTP/1.1\r\nHost: x\r\n\r\n", 404, -1, "0 to 4194304"},
		{"GET /-1 HTTP/1.1\r\nHost: x\r\n\r\n", 404, -1, "0 to"},
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404, -1, "0 to"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + strings.Repeat("x", 70000), 200, -1, "70000"},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, -1, "3"},
		{"DELETE /1 HTTP/1.1\r\nHost: x\r\n\r\n", 405, -1, "GET"},
		{"nonsense\r\n\r\n", 400, -1, "not a request"},
	} {
		c, err := dial(t, spec, fmt.Sprintf("%s:%d", probe.ReservedHost, probe.ReservedPort))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		go func() { _, _ = io.WriteString(c, tc.request) }()
		name := tc.request[:min(30, len(tc.request))]
		method, _, _ := strings.Cut(tc.request, " ")
		resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != tc.status || tc.length >= 0 && int64(len(body)) != tc.length || !strings.Contains(string(body[:min(100, len(body))]), tc.text) {
			t.Errorf("%q: status %d, %d bytes, %v", name, resp.StatusCode, len(body), err)
		}
		c.Close()
	}
}

// FuzzSOCKS sends anything to a server that has users and one that has none.
// Nothing is dialled but a destination in memory, and nothing may be left.
func FuzzSOCKS(f *testing.F) {
	f.Add([]byte("\x05\x01\x00\x05\x01\x00\x03\x01a\x00\x50early"), false)
	f.Add([]byte("\x05\x02\x00\x02\x01\x02me\x06secret\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50"), true)
	f.Add(append(request(probe.ReservedHost), "GET /10 HTTP/1.1\r\n\r\n"...), false)
	f.Fuzz(func(t *testing.T, b []byte, users bool) {
		s := &exit.Server{Dial: echoInMemory}
		if users {
			s.Users = map[string]string{"me": "secret"}
		}
		l := newPipes()
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		c := l.dial()
		_ = c.SetDeadline(time.Now().Add(patience))
		read := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(c)
			read <- all
		}()
		_, _ = c.Write(b)
		c.Close()
		got := <-read
		s.Close() // hangs if a goroutine is left
		if err := <-served; !errors.Is(err, exit.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
		if users && len(got) > 4 && !strings.Contains(string(b), "secret") {
			t.Errorf("%x was served without a password: %x", b, got)
		}
	})
}
