//go:build linux

package main

import (
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/paperplane-relay/paperplane/cmd/paperplane/internal/drive"
)

// TestDrain: after the first signal nobody new is served, and streams may end by
// themselves; the second signal ends the process at once.
func TestDrain(t *testing.T) {
	_, urls := startExits(t, 1)
	relay := startRelay(t, append(urls, "--drain", "1h")...)
	s := drive.OpenStreams(t, drive.Relay{Addr: relay.Addr}, startEcho(t), 1, wordEvery)[0]
	relay.Signal(syscall.SIGINT)
	drive.Eventually(t, "the port is closed", func() bool {
		c, err := net.Dial("tcp", relay.Addr)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	before := s.Echoed.Load()
	drive.Eventually(t, "the stream goes on", func() bool { return s.Echoed.Load() > before+2 })
	if s.Cut() {
		t.Error("the stream was cut while it may go on")
	}
	relay.Signal(syscall.SIGINT)
	<-relay.Ended
	if status, ok := relay.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGINT {
		t.Errorf("ended as %v, want it to be killed by the second signal", relay.ProcessState)
	}
}

// TestDrainEnds: a stream that outlives the drain time is cut, and that is no
// failure.
func TestDrainEnds(t *testing.T) {
	exits, urls := startExits(t, 1)
	relay := startRelay(t, append(urls, "--drain", "0s")...)
	s := drive.OpenStreams(t, drive.Relay{Addr: relay.Addr}, startEcho(t), 1, wordEvery)[0]
	if code := relay.Stop(t); code != 0 {
		t.Errorf("status %d", code)
	}
	drive.Eventually(t, "the stream is cut", s.Cut)
	if said := relay.Said(); !strings.Contains(said, "have been cut") {
		t.Errorf("the relay says nothing of what it cut:\n%s", said)
	}
	if code := exits[0].Stop(t); code != 0 {
		t.Errorf("the endpoint's status is %d", code)
	}
}

// TestPortInUse is a failure while running, in one line.
func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, args := range [][]string{{"relay", "socks5://127.0.0.1:9"}, {"exit"}} {
		code, stdout, stderr := call(t, "", append(args, "--listen", l.Addr().String())...)
		want := "paperplane " + args[0] + ": cannot listen: listen tcp " + l.Addr().String() + ": bind: address already in use\n"
		if code != 1 || stdout != "" || stderr != want {
			t.Errorf("status %d, stdout %q, stderr %q", code, stdout, stderr)
		}
	}
}
