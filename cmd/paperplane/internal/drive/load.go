//go:build unix

package drive

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/proxy"
)

// RequestPatience is how long a client waits for a CONNECT and an answer
// together. Give the relay the same --patience.
const RequestPatience = 10 * time.Second

// Relay is a relay as its clients know it.
type Relay struct {
	// Addr is its host:port.
	Addr string
	// Dial is how they connect to it; nil means net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// socks returns a dialer through the relay for a client of that name. Whatever
// it dials has the deadline.
func (r Relay) socks(client string, deadline time.Time) (proxy.Dialer, error) {
	return proxy.SOCKS5("tcp", r.Addr, &proxy.Auth{User: client, Password: "x"}, until{r, deadline})
}

type until struct {
	relay Relay
	at    time.Time
}

func (u until) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(context.Background(), u.at)
	defer cancel()
	dial := u.relay.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	c, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(u.at)
}

// Load is about 20 requests a second, each a GET on a connection of its own,
// from 50 clients that never try again. The destination answers "hello " and the
// path, as [Hello] does.
type Load struct {
	relay       Relay
	destination string
	done        atomic.Int64
	slowest     atomic.Int64
	quit        chan struct{}
	once        sync.Once
	all         sync.WaitGroup

	mu     sync.Mutex
	failed []error
}

// StartLoad begins to send requests. Stop it.
func StartLoad(relay Relay, destination string) *Load {
	l := &Load{relay: relay, destination: destination, quit: make(chan struct{})}
	l.all.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		const limit = 20 * 300 // five minutes, whatever happens
		for n := range limit {
			select {
			case <-l.quit:
				return
			case <-tick.C:
			}
			l.all.Go(func() { l.request(n) })
		}
	})
	return l
}

func (l *Load) request(n int) {
	began := time.Now()
	err := l.get(n)
	took := int64(time.Since(began))
	for old := l.slowest.Load(); took > old && !l.slowest.CompareAndSwap(old, took); old = l.slowest.Load() {
	}
	l.done.Add(1)
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.failed = append(l.failed, fmt.Errorf("request %d failed after %v: %w", n, time.Duration(took), err))
	}
}

func (l *Load) get(n int) error {
	d, err := l.relay.socks("client-"+strconv.Itoa(n%50), time.Now().Add(RequestPatience))
	if err != nil {
		return err
	}
	c, err := d.Dial("tcp", l.destination)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET /%d HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n", n); err != nil {
		return err
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("hello /%d", n); !strings.HasSuffix(string(answer), want) {
		return fmt.Errorf("answer %q, want %q at its end", answer, want)
	}
	return nil
}

// More waits until n more requests have ended, well or not.
func (l *Load) More(t testing.TB, n int64) {
	t.Helper()
	until := l.done.Load() + n
	Eventually(t, "requests go on", func() bool { return l.done.Load() >= until })
}

// Stop ends the load and waits for the requests that are under way.
func (l *Load) Stop() {
	l.once.Do(func() { close(l.quit) })
	l.all.Wait()
}

// Done is how many requests have ended, and Slowest how long one of them took at
// most.
func (l *Load) Done() int64            { return l.done.Load() }
func (l *Load) Slowest() time.Duration { return time.Duration(l.slowest.Load()) }

// Failures are what went wrong so far.
func (l *Load) Failures() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.failed)
}
