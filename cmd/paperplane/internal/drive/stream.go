//go:build unix

package drive

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
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
)

// Stream is a long connection through the relay that says a word every so often.
type Stream struct {
	conn net.Conn
	from netip.AddrPort // as the destination sees it: tells which endpoint it came from
	// Echoed is how many words came back.
	Echoed atomic.Int64
	every  time.Duration
	ended  atomic.Pointer[ending]
	all    sync.WaitGroup
}

type ending struct {
	at  time.Time
	err error
}

// Echo is what streams speak to: each is told where it comes from, then hears
// what it says.
func Echo(c net.Conn) {
	fmt.Fprintln(c, c.RemoteAddr())
	_, _ = io.Copy(c, c)
}

// OpenStreams opens n streams to an address where Echo answers, each as a client
// of its own that says a word every so often. They are closed at the end of the
// test.
func OpenStreams(t testing.TB, relay Relay, echo string, n int, every time.Duration) []*Stream {
	t.Helper()
	streams := make([]*Stream, n)
	errs := make([]error, n)
	var opening sync.WaitGroup
	slots := make(chan struct{}, 8) // not all at once: it is no storm
	for i := range n {
		opening.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			streams[i], errs[i] = openStream(relay, "stream-"+strconv.Itoa(i), echo, every)
		})
	}
	opening.Wait()
	t.Cleanup(func() { Close(streams) })
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return streams
}

func openStream(relay Relay, client, echo string, every time.Duration) (*Stream, error) {
	c, err := relay.greet(client, time.Now().Add(Patience))
	if err != nil {
		return nil, err
	}
	if err := connect(c, echo); err != nil {
		_ = c.Close()
		return nil, err
	}
	s := &Stream{conn: c, every: every}
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err == nil {
		s.from, err = netip.ParseAddrPort(strings.TrimSpace(line))
	}
	if err == nil {
		err = c.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	s.all.Go(func() { s.listen(r) })
	s.all.Go(s.talk)
	return s, nil
}

func (s *Stream) listen(r *bufio.Reader) {
	for {
		if _, err := r.ReadString('\n'); err != nil {
			e := &ending{time.Now(), err}
			// A kernel tells of a reset once, and that may have been to talk. After a
			// mere FIN one can go on to write.
			if errors.Is(err, io.EOF) {
				if _, err := io.WriteString(s.conn, "word\n"); err != nil {
					e.err = syscall.ECONNRESET
				}
			}
			s.ended.Store(e)
			return
		}
		s.Echoed.Add(1)
	}
}

func (s *Stream) talk() {
	for !s.Cut() {
		if _, err := io.WriteString(s.conn, "word\n"); err != nil {
			return
		}
		time.Sleep(s.every)
	}
}

// Cut reports whether it has ended.
func (s *Stream) Cut() bool { return s.ended.Load() != nil }

// Ended is when and how it has ended, io.EOF if in order. It has (see Cut).
func (s *Stream) Ended() (at time.Time, err error) {
	e := s.ended.Load()
	return e.at, e.err
}

// Close closes streams, some of which may be nil.
func Close(streams []*Stream) {
	for _, s := range streams {
		if s != nil {
			_ = s.conn.Close()
		}
	}
	for _, s := range streams {
		if s != nil {
			s.all.Wait()
		}
	}
}

// Alive are those that have not ended.
func Alive(streams []*Stream) []*Stream {
	return slices.DeleteFunc(slices.Clone(streams), (*Stream).Cut)
}

// Words counts what each stream has said and heard back.
func Words(streams []*Stream) []int64 {
	counts := make([]int64, len(streams))
	for i, s := range streams {
		counts[i] = s.Echoed.Load()
	}
	return counts
}

// MostSaid is what the most talkative stream has said between two counts.
func MostSaid(before, after []int64) (most int64) {
	for i := range before {
		most = max(most, after[i]-before[i])
	}
	return most
}

// Busiest is the endpoint that carries the most streams, nil if none carries
// any.
func Busiest(exits []*Process, streams []*Stream) *Process {
	var most *Process
	var n int
	for _, e := range exits {
		if on := len(StreamsOn(e, streams)); on > n {
			most, n = e, on
		}
	}
	return most
}

// StreamsOn asks the kernel which of the streams that are left the endpoint
// carries.
func StreamsOn(exit *Process, streams []*Stream) []*Stream {
	sockets := socketsOf(exit.Process.Pid)
	return slices.DeleteFunc(Alive(streams), func(s *Stream) bool { return !sockets[s.from] })
}

// socketsOf lists the local IPv4 addresses and ports of a process's TCP sockets,
// in whichever network namespace it is.
func socketsOf(pid int) map[netip.AddrPort]bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	open := make(map[string]bool)
	entries, _ := os.ReadDir(filepath.Join(dir, "fd"))
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, "fd", e.Name())); err == nil {
			open[target] = true
		}
	}
	sockets := make(map[netip.AddrPort]bool)
	table, _ := os.ReadFile(filepath.Join(dir, "net/tcp"))
	for line := range strings.SplitSeq(string(table), "\n") {
		// The columns: number, local, remote, state, queues, timer, retransmits,
		// uid, timeout, inode. Local is hexadecimal address:port, the address as
		// the number that this machine reads in its four bytes.
		fields := strings.Fields(line)
		if len(fields) < 10 || !open["socket:["+fields[9]+"]"] {
			continue
		}
		var addr, port uint32
		if _, err := fmt.Sscanf(fields[1], "%x:%x", &addr, &port); err != nil {
			continue
		}
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], addr)
		sockets[netip.AddrPortFrom(netip.AddrFrom4(b), uint16(port))] = true
	}
	return sockets
}
