//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/proxy"
)

// requestPatience is how long a client of the failover test waits for a CONNECT
// and a first byte together, and the relay's --patience.
const requestPatience = 10 * time.Second

// The streams of a lost endpoint are to be cut within 3 s. A timing of processes
// shows how busy the machine is, so time is counted in what streams on other
// endpoints say meanwhile, through the same relay and five words a second at
// most: if the machine is slow, they are slow too. A killed process is told by
// its kernel's RST, for which 3 s are plenty. A stopped one keeps acknowledging,
// so that it takes several examinations with time limits of their own, which may
// all be late on a busy machine: three times as much.
const (
	wordEvery     = 200 * time.Millisecond
	killedWithin  = int64(3 * time.Second / wordEvery)
	stoppedWithin = 3 * killedWithin
)

// TestFailover kills and stops endpoints under load: no request fails, and the
// streams on a lost endpoint, and no others, are cut.
func TestFailover(t *testing.T) {
	exits, urls := startExits(t, 6)
	relay := startRelay(t, append([]string{"--active", "4", "--patience", requestPatience.String()}, urls...)...)
	destination := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", r.URL.Path)
	}))
	defer destination.Close()
	echo := startEcho(t)

	streams := openStreams(t, relay.addr, echo, 24)
	load := startLoad(relay.addr, destination.Listener.Addr().String())
	defer load.stop()
	load.more(t, 40)

	for _, c := range []struct {
		name   string
		with   syscall.Signal
		within int64
	}{
		{"killed", syscall.SIGKILL, killedWithin},
		{"stopped", syscall.SIGSTOP, stoppedWithin},
		{"killed again", syscall.SIGKILL, killedWithin},
	} {
		victim := busiest(exits, streams)
		if victim == nil {
			t.Fatalf("%s: no endpoint carries a stream", c.name)
		}
		on := streamsOn(victim, streams)
		t.Logf("%s: %s with %d of %d streams", c.name, victim.addr, len(on), len(alive(streams)))
		before := words(streams)
		victim.signal(c.with)
		exits = slices.DeleteFunc(exits, func(p *process) bool { return p == victim })
		eventually(t, "the streams on the endpoint that was "+c.name+" are cut", func() bool {
			return !slices.ContainsFunc(on, func(s *stream) bool { return !s.cut.Load() })
		})
		if said := mostSaid(before, words(streams)); said > c.within {
			t.Errorf("%s: another stream said %d words before the last one was cut, want at most %d", c.name, said, c.within)
		}
		load.more(t, 100)
	}

	var lost int
	for _, s := range streams {
		if s.cut.Load() {
			lost++
		}
	}
	kept := len(alive(streams))
	t.Logf("streams: %d cut, %d kept", lost, kept)
	for _, s := range streams {
		before := s.echoed.Load()
		eventually(t, "a stream that is left goes on", func() bool { return s.cut.Load() || s.echoed.Load() > before })
	}
	if now := len(alive(streams)); now != kept || lost+kept != len(streams) {
		t.Errorf("%d streams are left of %d, though no endpoint was lost since", now, kept)
	}
	load.stop()
	t.Logf("requests: %d, slowest %v", load.done.Load(), time.Duration(load.slowest.Load()).Round(time.Millisecond))
	for _, err := range load.failures() {
		t.Error(err)
	}
	for _, s := range streams {
		s.close()
	}
	if code := relay.stop(t); code != 0 {
		t.Errorf("the relay ended with status %d", code)
	}
}

// socks returns a dialer through the relay for a client of that name. Whatever
// it dials has the deadline.
func socks(relay, client string, deadline time.Time) (proxy.Dialer, error) {
	return proxy.SOCKS5("tcp", relay, &proxy.Auth{User: client, Password: "x"}, dialUntil(deadline))
}

type dialUntil time.Time

func (d dialUntil) Dial(network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Deadline: time.Time(d)}).Dial(network, address)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Time(d))
}

// load sends about 20 requests a second, each a GET on a connection of its own,
// from 50 clients that never try again.
type load struct {
	done    atomic.Int64
	slowest atomic.Int64
	quit    chan struct{}
	once    sync.Once
	all     sync.WaitGroup

	mu     sync.Mutex
	failed []error
}

func startLoad(relay, destination string) *load {
	l := &load{quit: make(chan struct{})}
	l.all.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		const limit = 20 * 180 // three minutes, whatever happens
		for n := range limit {
			select {
			case <-l.quit:
				return
			case <-tick.C:
			}
			l.all.Go(func() { l.request(relay, destination, n) })
		}
	})
	return l
}

func (l *load) request(relay, destination string, n int) {
	began := time.Now()
	err := get(relay, destination, n)
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

func get(relay, destination string, n int) error {
	d, err := socks(relay, "client-"+strconv.Itoa(n%50), time.Now().Add(requestPatience))
	if err != nil {
		return err
	}
	c, err := d.Dial("tcp", destination)
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

// more waits until n more requests have ended, well or not.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	until := l.done.Load() + n
	eventually(t, "requests go on", func() bool { return l.done.Load() >= until })
}

// stop ends the load and waits for the requests that are under way.
func (l *load) stop() {
	l.once.Do(func() { close(l.quit) })
	l.all.Wait()
}

func (l *load) failures() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.failed)
}

// startEcho listens for streams: each is told the port that it comes from, then
// hears what it says.
func startEcho(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				stop := make(chan struct{})
				defer close(stop)
				all.Go(func() {
					select {
					case <-t.Context().Done(): // ends before the clean-ups
						_ = c.Close()
					case <-stop:
					}
				})
				fmt.Fprintln(c, c.RemoteAddr().(*net.TCPAddr).Port)
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

// stream is a long connection through the relay that says a word five times a
// second.
type stream struct {
	conn   net.Conn
	port   int // at the destination's side: tells which endpoint it came from
	echoed atomic.Int64
	cut    atomic.Bool
	all    sync.WaitGroup
}

func openStreams(t *testing.T, relay, echo string, n int) []*stream {
	t.Helper()
	var streams []*stream
	for i := range n {
		d, err := socks(relay, "stream-"+strconv.Itoa(i), time.Now().Add(patience))
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.Dial("tcp", echo)
		if err != nil {
			t.Fatal(err)
		}
		s := &stream{conn: c}
		r := bufio.NewReader(c)
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if s.port, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		s.all.Go(func() { s.listen(r) })
		s.all.Go(s.talk)
		t.Cleanup(s.close)
		streams = append(streams, s)
	}
	return streams
}

func (s *stream) listen(r *bufio.Reader) {
	for {
		if _, err := r.ReadString('\n'); err != nil {
			s.cut.Store(true)
			return
		}
		s.echoed.Add(1)
	}
}

func (s *stream) talk() {
	for !s.cut.Load() {
		if _, err := io.WriteString(s.conn, "word\n"); err != nil {
			return
		}
		time.Sleep(wordEvery)
	}
}

func (s *stream) close() {
	_ = s.conn.Close()
	s.all.Wait()
}

func alive(streams []*stream) []*stream {
	return slices.DeleteFunc(slices.Clone(streams), func(s *stream) bool { return s.cut.Load() })
}

// words counts what each stream has said and heard back.
func words(streams []*stream) []int64 {
	counts := make([]int64, len(streams))
	for i, s := range streams {
		counts[i] = s.echoed.Load()
	}
	return counts
}

// mostSaid is what the most talkative stream has said between two counts.
func mostSaid(before, after []int64) (most int64) {
	for i := range before {
		most = max(most, after[i]-before[i])
	}
	return most
}

// busiest is the endpoint that carries the most streams.
func busiest(exits []*process, streams []*stream) *process {
	var most *process
	var n int
	for _, e := range exits {
		if on := len(streamsOn(e, streams)); on > n {
			most, n = e, on
		}
	}
	return most
}

// streamsOn asks the kernel which of the streams that are left the endpoint
// carries.
func streamsOn(exit *process, streams []*stream) []*stream {
	ports := portsOf(exit.Process.Pid)
	return slices.DeleteFunc(alive(streams), func(s *stream) bool { return !ports[s.port] })
}

// portsOf lists the local TCP ports of a process.
func portsOf(pid int) map[int]bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	sockets := make(map[string]bool)
	entries, _ := os.ReadDir(filepath.Join(dir, "fd"))
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, "fd", e.Name())); err == nil {
			sockets[target] = true
		}
	}
	ports := make(map[int]bool)
	table, _ := os.ReadFile(filepath.Join(dir, "net/tcp"))
	for line := range strings.SplitSeq(string(table), "\n") {
		// The columns: number, local, remote, state, queues, timer, retransmits,
		// uid, timeout, inode. Local is hexadecimal address:port.
		fields := strings.Fields(line)
		if len(fields) < 10 || !sockets["socket:["+fields[9]+"]"] {
			continue
		}
		_, port, _ := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseUint(port, 16, 16); err == nil {
			ports[int(n)] = true
		}
	}
	return ports
}
