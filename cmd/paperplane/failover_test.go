//go:build linux

package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/cmd/paperplane/internal/drive"
)

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
	relay := startRelay(t, append([]string{"--active", "4", "--patience", drive.RequestPatience.String()}, urls...)...)
	through := drive.Relay{Addr: relay.Addr}
	destination := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", r.URL.Path)
	}))
	defer destination.Close()
	echo := startEcho(t)

	streams := drive.OpenStreams(t, through, echo, 24, wordEvery)
	load := drive.Requests{Relay: through, Destination: destination.Listener.Addr().String()}.Start()
	defer load.Stop()
	load.More(t, 40)

	for _, c := range []struct {
		name   string
		with   syscall.Signal
		within int64
	}{
		{"killed", syscall.SIGKILL, killedWithin},
		{"stopped", syscall.SIGSTOP, stoppedWithin},
		{"killed again", syscall.SIGKILL, killedWithin},
	} {
		victim := drive.Busiest(exits, streams)
		if victim == nil {
			t.Fatalf("%s: no endpoint carries a stream", c.name)
		}
		on := drive.StreamsOn(victim, streams)
		t.Logf("%s: %s with %d of %d streams", c.name, victim.Addr, len(on), len(drive.Alive(streams)))
		before := drive.Words(streams)
		victim.Signal(c.with)
		exits = slices.DeleteFunc(exits, func(p *drive.Process) bool { return p == victim })
		drive.Eventually(t, "the streams on the endpoint that was "+c.name+" are cut", func() bool {
			return !slices.ContainsFunc(on, func(s *drive.Stream) bool { return !s.Cut() })
		})
		if said := drive.MostSaid(before, drive.Words(streams)); said > c.within {
			t.Errorf("%s: another stream said %d words before the last one was cut, want at most %d", c.name, said, c.within)
		}
		load.More(t, 100)
	}

	var lost int
	for _, s := range streams {
		if s.Cut() {
			lost++
		}
	}
	kept := len(drive.Alive(streams))
	t.Logf("streams: %d cut, %d kept", lost, kept)
	for _, s := range streams {
		before := s.Echoed.Load()
		drive.Eventually(t, "a stream that is left goes on", func() bool { return s.Cut() || s.Echoed.Load() > before })
	}
	if now := len(drive.Alive(streams)); now != kept || lost+kept != len(streams) {
		t.Errorf("%d streams are left of %d, though no endpoint was lost since", now, kept)
	}
	load.Stop()
	t.Logf("requests: %d, slowest %v", load.Done(), load.Slowest().Round(time.Millisecond))
	for _, err := range load.Failures() {
		t.Error(err)
	}
	drive.Close(streams)
	if code := relay.Stop(t); code != 0 {
		t.Errorf("the relay ended with status %d", code)
	}
}

// startEcho listens for streams.
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
				drive.Echo(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String()
}
