package upstream_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// pair is both ends of a TCP connection over loopback.
func pair(t *testing.T) (dialled, accepted *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); a.Close() })
	for _, c := range []net.Conn{c, a} {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return c.(*net.TCPConn), a.(*net.TCPConn)
}

func TestReadFlow(t *testing.T) {
	dialled, accepted := pair(t)
	for name, ends := range map[string][2]net.Conn{"dialled": {dialled, accepted}, "accepted": {accepted, dialled}} {
		here, there := ends[0], ends[1]
		before, ok := upstream.ReadFlow(here)
		if !ok || before.Sent != before.Acked {
			t.Fatalf("%s: before: %+v, %v", name, before, ok)
		}
		if _, err := here.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(there, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		if _, err := there.Write(make([]byte, 50)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(here, make([]byte, 50)); err != nil {
			t.Fatal(err)
		}
		// The answer has carried the acknowledgement.
		after, ok := upstream.ReadFlow(here)
		if !ok || after.Sent-before.Sent != 1000 || after.Acked-before.Acked != 1000 || after.Received-before.Received != 50 {
			t.Errorf("%s: after: %+v, before: %+v, %v", name, after, before, ok)
		}
		if after.Unacked != 0 || after.Retransmits != 0 || after.Probes != 0 || after.RTT <= 0 {
			t.Errorf("%s: after: %+v", name, after)
		}
	}
	dialled.Close()
	if _, ok := upstream.ReadFlow(dialled); ok {
		t.Error("a closed connection has a flow")
	}
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	if _, ok := upstream.ReadFlow(here); ok {
		t.Error("a pipe has a flow")
	}
	if err := upstream.KeepAlive(here, time.Second, time.Second); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("KeepAlive of a pipe: %v", err)
	}
}

func option(t *testing.T, c *net.TCPConn, name int) int {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var v int
	if cerr := raw.Control(func(fd uintptr) { v, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, name) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return v
}

func TestTuneAndKeepAlive(t *testing.T) {
	c, _ := pair(t)
	upstream.Tune(c)
	if got := option(t, c, unix.TCP_USER_TIMEOUT); got < 120_000 {
		t.Errorf("TCP_USER_TIMEOUT = %d ms, want 120 s or more", got)
	}
	if got := option(t, c, unix.TCP_NODELAY); got == 0 {
		t.Error("TCP_NODELAY is off")
	}
	if err := upstream.KeepAlive(c, 3*time.Second, time.Second); err != nil {
		t.Fatal(err)
	}
	got := [3]int{option(t, c, unix.TCP_KEEPIDLE), option(t, c, unix.TCP_KEEPINTVL), option(t, c, unix.TCP_KEEPCNT)}
	if got != [3]int{3, 1, 127} {
		t.Errorf("keep-alive idle, interval, count = %v", got)
	}
}

// tcpRTOMaxMS is TCP_RTO_MAX_MS, since Linux 6.15.
const tcpRTOMaxMS = 44

func TestTuneBoundsRetransmission(t *testing.T) {
	c, _ := pair(t)
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	get := func() (v int, err error) {
		cerr := raw.Control(func(fd uintptr) { v, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, tcpRTOMaxMS) })
		return v, errors.Join(cerr, err)
	}
	if _, err := get(); errors.Is(err, unix.ENOPROTOOPT) {
		return // this kernel cannot, and Tune does without
	}
	upstream.Tune(c)
	if v, err := get(); v != 1000 || err != nil {
		t.Errorf("TCP_RTO_MAX_MS = %d, %v, want 1000", v, err)
	}
}

func TestAbort(t *testing.T) {
	c, peer := pair(t)
	if err := upstream.Abort(c); err != nil {
		t.Fatal(err)
	}
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the other side sees %v, want a reset", err)
	}
}
