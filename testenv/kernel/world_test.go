//go:build linux

package kernel_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel"
)

// patience is how long something may take that must happen.
const patience = 20 * time.Second

var (
	serverAddr = netip.MustParseAddr("52.58.1.2")
	server     = netip.AddrPortFrom(serverAddr, 443)
	other      = netip.MustParseAddrPort("203.0.113.9:80")
	server6    = netip.MustParseAddrPort("[2001:db8::7]:443")
)

// world is a network with one vantage.
type world struct {
	*testing.T
	net *kernel.Network
	isp *kernel.Vantage
	log *record
	set *blocker.RuleSet
}

func supported(t testing.TB) {
	t.Helper()
	if err := kernel.Supported(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	supported(t)
	n, err := kernel.New(kernel.Config{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	w := &world{T: t, net: n, log: new(record)}
	w.do(n.Route(netip.MustParsePrefix("52.58.0.0/15"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")))
	w.isp, err = n.Vantage(netip.MustParseAddr("100.64.0.1"), netip.MustParsePrefix("100.64.0.0/24"), w.log)
	w.do(err)
	return w
}

func (w *world) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) host(a netip.Addr) *kernel.Host {
	w.Helper()
	h, err := w.net.Host(a)
	w.do(err)
	return h
}

// serve runs f for each connection to a port of a host, until the test ends.
func (w *world) serve(h *kernel.Host, port uint16, f func(net.Conn)) {
	w.Helper()
	l, err := h.Listen(port)
	w.do(err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { defer c.Close(); f(c) })
		}
	})
	w.Cleanup(func() { h.Vanish(); running.Wait() })
}

func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// rules puts rules in force, in the place of those before.
func (w *world) rules(rules ...blocker.Rule) []blocker.RuleID {
	w.Helper()
	set, ids := w.set.Replacing(rules)
	w.do(w.isp.Rules(set))
	w.set = set
	return ids
}

// to is a rule about one server.
func to(a netip.Addr, do blocker.Action) blocker.Rule {
	return blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}}, Do: do}
}

func (w *world) dial(to netip.AddrPort) net.Conn {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	c, err := w.isp.Host().Dial(ctx, to)
	w.do(err)
	w.Cleanup(func() { c.Close() })
	return c
}

// tries dials, for a while that may be too short.
func (w *world) tries(to netip.AddrPort, d time.Duration) error {
	ctx, cancel := context.WithTimeout(w.Context(), d)
	defer cancel()
	c, err := w.isp.Host().Dial(ctx, to)
	if err == nil {
		c.Close()
	}
	return err
}

// says sends a word and wants it back.
func (w *world) says(c net.Conn, word string) {
	w.Helper()
	w.do(c.SetDeadline(time.Now().Add(patience)))
	_, err := io.WriteString(c, word)
	w.do(err)
	b := make([]byte, len(word))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != word {
		w.Fatalf("%q came back, %v; want %q", b, err, word)
	}
}

// silent is how long silence is listened to. It decides nothing but how likely a
// wrong noise is heard.
const silent = 300 * time.Millisecond

// hearsNothing wants silence from a connection.
func (w *world) hearsNothing(c net.Conn) {
	w.Helper()
	w.do(c.SetReadDeadline(time.Now().Add(silent)))
	n, err := c.Read(make([]byte, 1))
	if e, ok := err.(net.Error); n > 0 || !ok || !e.Timeout() { //nolint:errorlint // a read's own
		w.Fatalf("read %d, %v; want silence", n, err)
	}
}

// record is an observer that keeps all it is told.
type record struct {
	mu       sync.Mutex
	dialled  []netip.AddrPort
	answered []netip.AddrPort
	taken    []kernel.Taken
	heads    []string
}

func (r *record) Dialled(_, s netip.AddrPort, _ time.Time) {
	r.mu.Lock()
	r.dialled = append(r.dialled, s)
	r.mu.Unlock()
}

func (r *record) Answered(_, s netip.AddrPort, _ time.Time) {
	r.mu.Lock()
	r.answered = append(r.answered, s)
	r.mu.Unlock()
}

func (r *record) Taken(t kernel.Taken) {
	r.mu.Lock()
	r.taken = append(r.taken, t)
	r.mu.Unlock()
}

func (r *record) Sighted(_, _ netip.AddrPort, head []byte, _ time.Time) {
	r.mu.Lock()
	r.heads = append(r.heads, string(head))
	r.mu.Unlock()
}

// until waits for what the observer has been told to be so.
func (w *world) until(what string, is func(*record) bool) {
	w.Helper()
	w.eventually(what, func() bool {
		w.log.mu.Lock()
		defer w.log.mu.Unlock()
		return is(w.log)
	})
}

func (w *world) eventually(what string, is func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("never: %s", what)
		}
	}
}
