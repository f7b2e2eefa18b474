//go:build linux

package kernel_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel"
)

func TestCut(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	c := w.dial(server)
	w.says(c, "hello")
	w.do(w.isp.Cut(true))
	_, err := io.WriteString(c, "again")
	w.do(err)
	w.hearsNothing(c)
	if err := w.tries(server, silent); !os.IsTimeout(err) {
		t.Errorf("dial: %v", err)
	}
	w.do(w.isp.Cut(false))
	w.do(c.SetDeadline(time.Now().Add(patience)))
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		t.Errorf("after the cut: %v", err)
	}
	cut, lost, err := w.isp.Lost()
	if err != nil || cut < 2 || lost != 0 {
		t.Errorf("%d packets cut and %d lost, %v", cut, lost, err)
	}
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	if len(w.log.taken) > 0 || len(w.log.dialled) != 1 {
		t.Errorf("the border tells of a cut: %+v, %v", w.log.taken, w.log.dialled)
	}
}

func TestLose(t *testing.T) {
	w := newWorld(t)
	const size = 2 << 20
	w.serve(w.host(serverAddr), 443, source(size))
	w.do(w.isp.Lose(0.01, 0.02))
	c := w.dial(server)
	_, err := c.Write([]byte{1})
	w.do(err)
	w.do(c.SetDeadline(time.Now().Add(patience)))
	if _, err := io.ReadFull(c, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	w.do(w.isp.Lose(0, 0))
	cut, lost, err := w.isp.Lost()
	// 1448 packets at least are sent; five standard deviations.
	if err != nil || cut != 0 || lost < 5 || lost > 120 {
		t.Errorf("%d cut and %d lost, %v; want about 35", cut, lost, err)
	}
	w.do(w.isp.Lose(1, 0))
	if err := w.tries(server, silent); !os.IsTimeout(err) {
		t.Errorf("dial: %v", err)
	}
	if err := w.isp.Lose(0, 1.5); err == nil {
		t.Error("a share of 1.5")
	}
}

func TestDelay(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	const oneWay = 40 * time.Millisecond
	if err := kernel.Delays(); err != nil {
		if err := w.isp.Delay(oneWay); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("delay where there is none: %v", err)
		}
		w.do(w.isp.Delay(0))
		w.says(w.dial(server), "still there")
		t.Skipf("that anything is delayed is untested: %v", err)
	}
	w.do(w.isp.Delay(oneWay))
	begun := time.Now()
	w.dial(server)
	if took := time.Since(begun); took < 2*oneWay {
		t.Errorf("a handshake took %v", took)
	}
	w.do(w.isp.Delay(0))
	w.says(w.dial(server), "still there")
}

// What the border has let through is what the kernels say that they have sent,
// retransmissions included: under load there are some.
func TestTraffic(t *testing.T) {
	w := newWorld(t)
	const size = 300_000
	var mu sync.Mutex
	sent := make(map[netip.AddrPort][]func() kernel.Traffic)
	served := make(chan net.Conn, 1)
	for _, to := range []netip.AddrPort{server, other, server6} {
		w.serve(w.host(to.Addr()), to.Port(), func(c net.Conn) {
			served <- c
			source(size)(c)
		})
		for n := range 2 {
			c := w.dial(to)
			s := <-served
			mu.Lock()
			sent[to] = append(sent[to], func() kernel.Traffic { return kernel.Traffic{Up: bytesSent(t, c), Down: bytesSent(t, s)} })
			mu.Unlock()
			_, err := io.WriteString(c, strings.Repeat("x", 1+16*n))
			w.do(err)
			w.do(c.SetDeadline(time.Now().Add(patience)))
			if _, err := io.ReadFull(c, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.eventually("all that was sent is counted", func() bool {
		got, err := w.isp.Traffic()
		w.do(err)
		for to, flows := range sent {
			var want kernel.Traffic
			for _, f := range flows {
				want.Up += f().Up
				want.Down += f().Down
			}
			if got[to] != want || want.Up < 1+17 || want.Down < 2*size {
				t.Logf("%v: %+v, sent %+v", to, got[to], want)
				return false
			}
		}
		return len(got) == len(sent)
	})
}

func bytesSent(t *testing.T, c net.Conn) (n int64) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err == nil {
		inner := raw.Control(func(fd uintptr) {
			var i *unix.TCPInfo
			if i, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				n = int64(i.Bytes_sent)
			}
		})
		err = errors.Join(err, inner)
	}
	if err != nil {
		t.Error(err)
	}
	return n
}

// What a rule takes is not let through.
func TestTrafficUnderARule(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, source(1<<20))
	w.rules(to(serverAddr, blocker.Freeze(16<<10)))
	c := w.dial(server)
	_, err := c.Write([]byte{1})
	w.do(err)
	n := w.arrives(c)
	got, err := w.isp.Traffic()
	w.do(err)
	if x := got[server]; x.Up < 1 || x.Down < int64(n) || x.Up+x.Down > 16<<10 {
		t.Errorf("%+v, want %d down at least, and 16384 at most", x, n)
	}
}

func TestObserver(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	w.says(w.dial(server), "unseen")
	w.do(w.isp.Sight(true))
	c := w.dial(server)
	w.says(c, "GET / HTTP/1.1\r\n\r\n")
	w.says(c, "and more")
	long := w.dial(server)
	w.says(long, strings.Repeat("x", 1000))
	w.do(w.isp.Sight(false))
	w.says(w.dial(server), "unseen")
	_ = w.tries(netip.MustParseAddrPort("52.58.3.3:443"), 2500*time.Millisecond) // two SYNs at least
	w.until("all told", func(r *record) bool { return len(r.dialled) == 5 })
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	if want := []string{"GET / HTTP/1.1\r\n\r\n", strings.Repeat("x", 128)}; !slices.Equal(w.log.heads, want) {
		t.Errorf("sighted %q", w.log.heads)
	}
	if len(w.log.answered) != 4 || w.log.answered[3] != server {
		t.Errorf("answered: %v", w.log.answered)
	}
}

// slow is an observer that does not return until it is let.
type slow struct {
	record
	let chan struct{}
}

func (s *slow) Dialled(netip.AddrPort, netip.AddrPort, time.Time) { <-s.let }

func TestASlowObserverHoldsNothingUp(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	o := &slow{let: make(chan struct{})}
	defer close(o.let)
	v, err := w.net.Vantage(netip.MustParseAddr("100.65.0.1"), netip.MustParsePrefix("100.65.0.0/24"), o)
	w.do(err)
	for range 300 {
		c, err := v.Host().Dial(t.Context(), server)
		w.do(err)
		c.Close()
	}
}

// What has happened before Settle is told when it returns.
func TestSettle(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	w.rules(to(other.Addr(), blocker.Reset()))
	for n := 1; n <= 50; n++ {
		w.do(w.tries(server, patience))
		if err := w.tries(other, patience); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
		w.do(w.isp.Settle())
		w.log.mu.Lock()
		if len(w.log.dialled) != 2*n || len(w.log.answered) != n || len(w.log.taken) != n {
			t.Errorf("%d dials of either kind: %d told, %d answers, %d taken", n, len(w.log.dialled), len(w.log.answered), len(w.log.taken))
		}
		w.log.mu.Unlock()
	}
}

func TestSettleDoesNotWaitForEver(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	o := &slow{let: make(chan struct{})}
	v, err := w.net.Vantage(netip.MustParseAddr("100.65.0.1"), netip.MustParsePrefix("100.65.0.0/24"), o)
	w.do(err)
	w.do(v.Settle())
	c, err := v.Host().Dial(t.Context(), server)
	w.do(err)
	c.Close()
	if err := v.Settle(); err == nil {
		t.Error("all is told to an observer that has not returned")
	}
	close(o.let)
	w.do(v.Settle())
}

// Close tells all that is to be told, and of what cannot be.
func TestCloseTellsTheRest(t *testing.T) {
	const dials = 300
	for _, lost := range []bool{false, true} {
		w := newWorld(t)
		n, err := kernel.New(kernel.Config{})
		w.do(err)
		defer n.Close()
		w.do(n.Route(netip.MustParsePrefix("52.58.0.0/15")))
		o := &slow{let: make(chan struct{})}
		v, err := n.Vantage(netip.MustParseAddr("100.64.0.1"), netip.MustParsePrefix("100.64.0.0/24"), o)
		w.do(err)
		set, _ := (*blocker.RuleSet)(nil).With(blocker.Rule{Do: blocker.Reset()})
		w.do(v.Rules(set))
		count := dials
		if lost {
			count *= 80 // far more than 16 MiB of what the kernel has for each
		}
		for range count {
			if _, err := v.Host().Dial(t.Context(), server); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatal(err)
			}
		}
		close(o.let)
		err = n.Close()
		switch {
		case lost && (err == nil || !strings.Contains(err.Error(), "packets are untold")):
			t.Errorf("some must have got lost: %v", err)
		case !lost && (err != nil || len(o.taken) != dials):
			t.Errorf("%d of %d told, %v", len(o.taken), dials, err)
		case lost:
			t.Log(err)
		}
	}
}

func TestCapture(t *testing.T) {
	for _, reset := range []bool{false, true} {
		t.Run(map[bool]string{false: "silent", true: "reset"}[reset], func(t *testing.T) {
			w := newWorld(t)
			w.serve(w.host(serverAddr), 443, echo)
			before := w.dial(server)
			w.says(before, "hello")
			var mu sync.Mutex
			served := 0
			portal := func(c net.Conn) {
				defer c.Close()
				mu.Lock()
				served++
				mu.Unlock()
				b := make([]byte, 100)
				if n, _ := c.Read(b); n > 0 {
					_, _ = io.WriteString(c, "sign in")
					_, _ = io.Copy(io.Discard, c)
				}
			}
			w.do(w.isp.Capture(portal, reset))
			w.do(w.isp.Capture(portal, reset))
			var captured net.Conn
			for _, a := range []netip.AddrPort{server, netip.MustParseAddrPort("198.51.100.1:9999"), server6} {
				captured = w.dial(a)
				if got := captured.RemoteAddr().String(); got != a.String() {
					t.Errorf("answered in the name of %s", got)
				}
				_, err := io.WriteString(captured, "hello")
				w.do(err)
				w.do(captured.SetDeadline(time.Now().Add(patience)))
				b := make([]byte, 7)
				if _, err := io.ReadFull(captured, b); err != nil || string(b) != "sign in" {
					t.Errorf("the portal says %q, %v", b, err)
				}
			}
			_, err := io.WriteString(before, "again")
			w.do(err)
			if reset {
				w.do(before.SetDeadline(time.Now().Add(patience)))
				if _, err := before.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("a flow from before: %v", err)
				}
			} else {
				w.hearsNothing(before)
			}
			w.do(w.isp.Release())
			if _, err := captured.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("a connection with the portal: %v", err)
			}
			if served != 3 {
				t.Errorf("%d connections, want 3", served)
			}
			w.says(w.dial(server), "free")
			if !reset {
				w.do(before.SetDeadline(time.Now().Add(patience)))
				if _, err := io.ReadFull(before, make([]byte, 5)); err != nil {
					t.Errorf("a flow from before goes on: %v", err)
				}
			}
			w.do(w.isp.Release())
		})
	}
}

// A Release that fails has ended the portal, and can be tried again.
func TestReleaseThatFails(t *testing.T) {
	w := newWorld(t)
	w.serve(w.host(serverAddr), 443, echo)
	failure := errors.New("no")
	ended := make(chan struct{}, 2)
	portal := func(c net.Conn) {
		defer c.Close()
		_, _ = io.Copy(c, c)
		ended <- struct{}{}
	}
	for _, again := range []func() error{w.isp.Release, func() error { return w.isp.Capture(portal, false) }} {
		w.do(w.isp.Capture(portal, false))
		w.says(w.dial(server), "captured")
		failed := w.isp.FailCommit(1, failure)
		if err := w.isp.Release(); !errors.Is(err, failure) || !failed() {
			t.Errorf("%v", err)
		}
		select {
		case <-ended:
		default:
			t.Error("what serves is still there")
		}
		w.do(again())
		w.says(w.dial(server), "again")
	}
	w.do(w.isp.Release())
	w.says(w.dial(server), "free")
}

func TestStart(t *testing.T) {
	w := newWorld(t)
	for name, h := range map[string]*kernel.Host{"vantage": w.isp.Host(), "middle": w.host(serverAddr)} {
		var out bytes.Buffer
		c := exec.CommandContext(t.Context(), "cat", "/proc/net/dev")
		c.Stdout = &out
		w.do(h.Start(c))
		w.do(c.Wait())
		if want := "isp"; !strings.Contains(out.String(), want) {
			t.Errorf("%s: interfaces %s", name, out.String())
		}
	}
	if err := w.isp.Host().Start(exec.CommandContext(t.Context(), "/does/not/exist")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
