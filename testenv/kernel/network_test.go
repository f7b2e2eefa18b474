//go:build linux

package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/kernel"
)

func TestDial(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	w.serve(w.host(server6.Addr()), 443, echo)
	for _, to := range []netip.AddrPort{server, server6} {
		c := w.dial(to)
		if _, ok := c.(*net.TCPConn); !ok {
			t.Errorf("%T, want what the kernel can copy", c)
		}
		w.says(c, "hello")
		if got := c.RemoteAddr().String(); got != to.String() {
			t.Errorf("connected to %s, want %v", got, to)
		}
	}
	if got := w.dial(server).LocalAddr().(*net.TCPAddr).IP.String(); got != "100.64.0.1" {
		t.Errorf("dialled from %s", got)
	}
	if err := w.tries(netip.AddrPortFrom(serverAddr, 80), patience); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed port: %v", err)
	}
}

// A dial that finds no free port, and so makes a second socket, must not make it
// outside of the world.
func TestADialNeverLeavesTheWorld(t *testing.T) {
	w := newWorld(t)
	outside, err := net.Listen("tcp", "127.0.0.1:0")
	w.do(err)
	defer outside.Close()
	port := outside.Addr().(*net.TCPAddr).AddrPort().Port()
	l, err := w.isp.Host().ListenLoopback(port)
	w.do(err)
	defer l.Close()
	sh := exec.CommandContext(t.Context(), "sh", "-c", "echo 30000 30001 > /proc/sys/net/ipv4/ip_local_port_range")
	w.do(w.isp.Host().Start(sh))
	w.do(sh.Wait())
	to := netip.MustParseAddrPort(outside.Addr().String())
	free := 0
	for range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		c, err := w.isp.Host().Dial(ctx, to)
		cancel()
		if err == nil {
			defer c.Close()
			free++
		} else if !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("dial: %v", err)
		}
	}
	if free != 2 {
		t.Errorf("%d of 6 dials from 2 ports have connected", free)
	}
	w.do(outside.(*net.TCPListener).SetDeadline(time.Now().Add(silent)))
	if c, err := outside.Accept(); err == nil {
		c.Close()
		t.Errorf("%v has come out of the world", c.RemoteAddr())
	}
}

// A process's main thread does not end with the goroutine that ran on it: it must
// never be in another namespace.
func TestTheMainThreadStaysAtHome(t *testing.T) {
	w := newWorld(t)
	home, err := os.Readlink("/proc/thread-self/ns/net")
	w.do(err)
	for range 60 {
		w.isp.Host().Connections()
		now, err := os.Readlink(fmt.Sprintf("/proc/self/task/%d/ns/net", os.Getpid()))
		w.do(err)
		if now != home {
			t.Fatalf("the main thread is in %s, at home in %s", now, home)
		}
	}
}

func TestAnAddressWithoutHostIsSilent(t *testing.T) {
	w := newWorld(t)
	w.host(serverAddr)
	for _, to := range []string{"52.58.9.9:443", "[2001:db8::9]:443", "198.51.100.1:80", "100.64.0.77:80"} {
		if err := w.tries(netip.MustParseAddrPort(to), silent); !errors.Is(err, context.DeadlineExceeded) && !os.IsTimeout(err) {
			t.Errorf("%s: %v, want silence", to, err)
		}
	}
}

func TestHostsDialEachOther(t *testing.T) {
	w := newWorld(t)
	tell := func(c net.Conn) { _, _ = io.WriteString(c, c.RemoteAddr().(*net.TCPAddr).IP.String()) }
	for _, c := range []struct {
		from netip.Addr
		to   netip.AddrPort
	}{
		{serverAddr, other},
		{server6.Addr(), netip.MustParseAddrPort("[2001:db8::9]:80")},
	} {
		w.serve(w.host(c.to.Addr()), 80, tell)
		h := w.host(c.from)
		for range 3 {
			conn, err := h.Dial(t.Context(), c.to)
			w.do(err)
			if b, err := io.ReadAll(conn); err != nil || string(b) != c.from.String() {
				t.Errorf("dialled from %s, %v", b, err)
			}
			conn.Close()
		}
	}
}

func TestListenAtAVantage(t *testing.T) {
	w := newWorld(t)
	l, err := w.isp.Host().Listen(0)
	w.do(err)
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	if addr.Addr() != w.isp.Host().Addr() || addr.Port() == 0 {
		t.Errorf("listens at %v", addr)
	}
	for _, to := range []string{"100.64.0.1", "127.0.0.1", "::1"} {
		accepted := make(chan error, 1)
		go func() {
			c, err := l.Accept()
			if err == nil {
				echo(c)
				c.Close()
			}
			accepted <- err
		}()
		c := w.dial(netip.AddrPortFrom(netip.MustParseAddr(to), addr.Port()))
		w.says(c, "hello")
		c.Close()
		w.do(<-accepted)
	}
	w.do(l.Close())
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestLoopback(t *testing.T) {
	w := newWorld(t)
	l, err := w.isp.Host().ListenLoopback(1080)
	w.do(err)
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			echo(c)
			c.Close()
		}
	}()
	c := w.dial(netip.MustParseAddrPort("127.0.0.1:1080"))
	w.says(c, "hello")
	c.Close()
	if _, err := w.host(serverAddr).ListenLoopback(1080); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("in the middle: %v", err)
	}
}

func TestAbort(t *testing.T) {
	w := newWorld(t)
	h := w.host(serverAddr)
	accepted := make(chan net.Conn, 1)
	w.serve(h, 443, func(c net.Conn) { accepted <- c; _, _ = io.Copy(io.Discard, c) })
	c := w.dial(server)
	s := <-accepted
	h.Abort()
	w.do(c.SetDeadline(time.Now().Add(patience)))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the other end: %v", err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the process: %v", err)
	}
	if err := w.tries(server, patience); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial: %v", err)
	}
	w.serve(h, 443, echo)
	w.says(w.dial(server), "again")
}

func TestAbortOfAVantage(t *testing.T) {
	w := newWorld(t)
	ended := make(chan error, 1)
	w.serve(w.host(serverAddr), 443, func(c net.Conn) {
		_, err := c.Read(make([]byte, 1))
		ended <- err
	})
	c := w.dial(server)
	w.isp.Host().Abort()
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the process: %v", err)
	}
}

func TestAbortEndsDials(t *testing.T) {
	w := newWorld(t)
	ended := make(chan error, 1)
	go func() {
		_, err := w.isp.Host().Dial(t.Context(), server)
		ended <- err
	}()
	w.until("a SYN", func(r *record) bool { return len(r.dialled) == 1 })
	w.isp.Host().Abort()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestHang(t *testing.T) {
	w := newWorld(t)
	h := w.host(serverAddr)
	w.serve(h, 443, echo)
	c := w.dial(server)
	w.says(c, "hello")
	h.Hang()
	if _, err := io.WriteString(c, "are you there"); err != nil {
		t.Fatal(err)
	}
	w.dial(server) // the kernel completes handshakes
	w.hearsNothing(c)
	h.Resume()
	b := make([]byte, 13)
	w.do(c.SetDeadline(time.Now().Add(patience)))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "are you there" {
		t.Errorf("%s, %v", b, err)
	}
}

func TestClosingWaitsForResume(t *testing.T) {
	w := newWorld(t)
	h := w.host(serverAddr)
	accepted := make(chan net.Conn, 1)
	w.serve(h, 443, func(c net.Conn) { accepted <- c; _, _ = io.Copy(io.Discard, c) })
	c := w.dial(server)
	s := <-accepted
	h.Hang()
	w.do(s.Close())
	w.hearsNothing(c)
	h.Resume()
	w.do(c.SetDeadline(time.Now().Add(patience)))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("%v, want the end", err)
	}
}

func TestVanish(t *testing.T) {
	w := newWorld(t)
	h := w.host(serverAddr)
	w.serve(h, 443, echo)
	c := w.dial(server)
	w.says(c, "hello")
	h.Vanish()
	_, err := io.WriteString(c, "are you there")
	w.do(err)
	w.hearsNothing(c)
	if err := w.tries(server, silent); !os.IsTimeout(err) {
		t.Errorf("dial: %v", err)
	}
	if _, err := h.Listen(80); !errors.Is(err, syscall.ENETDOWN) {
		t.Errorf("listen: %v", err)
	}
	w.serve(w.host(serverAddr), 443, echo)
	w.says(w.dial(server), "another machine")
}

func TestConnections(t *testing.T) {
	w := newWorld(t)
	h := w.host(serverAddr)
	w.serve(h, 443, echo)
	w.serve(w.host(other.Addr()), 80, echo)
	c := w.dial(server)
	w.says(c, "a")
	w.says(w.dial(other), "b")
	if here, there := w.isp.Host().Connections(), h.Connections(); here != 2 || there != 1 {
		t.Errorf("%d and %d, want 2 and 1", here, there)
	}
	c.Close()
	w.eventually("closed", func() bool { return h.Connections() == 0 })
}

func TestCloseLeavesNothing(t *testing.T) {
	supported(t)
	count := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	home, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	strays := func() (n int) {
		all, err := filepath.Glob("/proc/self/task/*/ns/net")
		if err != nil || len(all) == 0 {
			t.Fatal(all, err)
		}
		for _, f := range all {
			if at, err := os.Readlink(f); err == nil && at != home {
				n++
			}
		}
		return n
	}
	// The first opens what the runtime keeps.
	for round := range 3 {
		before := count()
		n, err := kernel.New(kernel.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Route(netip.MustParsePrefix("52.58.0.0/15")); err != nil {
			t.Fatal(err)
		}
		v, err := n.Vantage(netip.MustParseAddr("100.64.0.1"), netip.MustParsePrefix("100.64.0.0/24"), new(record))
		if err != nil {
			t.Fatal(err)
		}
		h, err := n.Host(serverAddr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Listen(443); err != nil {
			t.Fatal(err)
		}
		c, err := v.Host().Dial(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(n.Close(), n.Close()); err != nil {
			t.Error(err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a connection of a closed network: %v", err)
		}
		if _, err := n.Host(serverAddr); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a host of a closed network: %v", err)
		}
		if after := count(); round > 0 && after != before {
			t.Errorf("round %d: %d descriptors, %d before", round, after, before)
		}
		// Threads that were elsewhere end a while after what they did.
		for end := time.Now().Add(patience); strays() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("round %d: %d threads are not at home", round, strays())
			}
		}
	}
}
