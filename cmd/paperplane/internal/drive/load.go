//go:build unix

package drive

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// RequestPatience is how long a client waits for a CONNECT and an answer
// together. Give the relay the same --patience.
const RequestPatience = 10 * time.Second

// ErrUnfinished is found, with errors.Is, in the error of a request whose answer
// began and did not come to its end.
var ErrUnfinished = errors.New("the answer is not whole")

// Requests are about 20 a second, each a GET on a connection of its own, from 50
// clients that never try again.
type Requests struct {
	Relay Relay
	// Destination is the host:port of a server that answers with whatever it
	// likes and then "hello " and the path.
	Destination string
	// Patience is how long a client waits for a CONNECT and an answer together;
	// zero means RequestPatience.
	Patience time.Duration
	// Restarts has clients try again, until their patience ends, whose connection
	// to the relay was refused or ended before they had asked for anything, as
	// happens while the relay itself is started again.
	Restarts bool
}

// Load is requests that are being sent.
type Load struct {
	Requests
	done    atomic.Int64
	again   atomic.Int64
	slowest atomic.Int64
	quit    chan struct{}
	once    sync.Once
	all     sync.WaitGroup

	mu     sync.Mutex
	failed []Failure
}

// Failure is a request that has failed.
type Failure struct {
	// Began and Took are when it was begun, and how long it was until it failed.
	Began time.Time
	Took  time.Duration
	// Err may be an ErrUnfinished.
	Err error
}

// Error implements error.
func (f Failure) Error() string { return fmt.Sprintf("after %v: %v", f.Took, f.Err) }

// Unwrap returns Err.
func (f Failure) Unwrap() error { return f.Err }

// Start begins to send requests. Stop it.
func (r Requests) Start() *Load {
	r.Patience = cmp.Or(r.Patience, RequestPatience)
	l := &Load{Requests: r, quit: make(chan struct{})}
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
		l.failed = append(l.failed, Failure{began, time.Duration(took), fmt.Errorf("request %d failed: %w", n, err)})
	}
}

func (l *Load) get(n int) error {
	until, client := time.Now().Add(l.Patience), "client-"+strconv.Itoa(n%50)
	c, err := l.Relay.greet(client, until)
	for ; l.Restarts && err != nil && time.Now().Before(until); c, err = l.Relay.greet(client, until) {
		l.again.Add(1)
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	defer c.Close()
	if err := connect(c, l.Destination); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c, "GET /%d HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n", n); err != nil {
		return err
	}
	answer, err := io.ReadAll(c)
	if len(answer) > 0 && err != nil {
		return fmt.Errorf("%w: %d bytes, then %w", ErrUnfinished, len(answer), err)
	}
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("hello /%d", n); !strings.HasSuffix(string(answer), want) {
		return fmt.Errorf("%d bytes that do not end with %q", len(answer), want)
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

// Done is how many requests have ended.
func (l *Load) Done() int64 { return l.done.Load() }

// Again is how often clients had to try again; see Requests.Restarts.
func (l *Load) Again() int64 { return l.again.Load() }

// Slowest is how long a request took at most.
func (l *Load) Slowest() time.Duration { return time.Duration(l.slowest.Load()) }

// Failures are what went wrong so far.
func (l *Load) Failures() []Failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.failed)
}

// TakeFailures is Failures, which are forgotten.
func (l *Load) TakeFailures() []Failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	failed := l.failed
	l.failed = nil
	return failed
}
