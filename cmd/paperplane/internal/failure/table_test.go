//go:build linux

package failure_test

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/cmd/paperplane/internal/drive"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

func TestOneEndpointDropped(t *testing.T) {
	inField(t, options{}, func(f *field) {
		v := f.victim()
		on := f.on(v)
		since := f.block(blocker.Drop(), v)
		f.cutsOnly(on, since, cutAfter+wordEvery) // it is lost with the next word
		f.judges([]*endpoint{v}, "blocked")
		f.load.More(t, 100)
	})
}

func TestOneEndpointReset(t *testing.T) {
	inField(t, options{}, func(f *field) {
		v := f.victim()
		on := f.on(v)
		since := f.block(blocker.Reset(), v)
		f.cutsOnly(on, since, cutAfter)
		f.judges([]*endpoint{v}, "blocked")
		f.load.More(t, 100)
	})
}

// mostCaught is how many objects may be caught in a freeze: where nothing else
// slows down who finds it out, it is 7 in a thousand of a minute's, and as many
// more are for a machine that is busy.
const mostCaught = 2 * 7 * 20 * 60 / 1000

// TestOneEndpointFrozen downloads objects of 64 KiB. Those that were caught in
// the freeze are lost, and no other.
func TestOneEndpointFrozen(t *testing.T) {
	inField(t, options{size: 64 << 10}, func(f *field) {
		v := f.victim()
		on := f.on(v)
		f.block(blocker.Freeze(16<<10), v)
		f.judges([]*endpoint{v}, "frozen")
		condemned := f.lost()[0].Time
		for _, s := range on {
			drive.Eventually(t, "the streams on the frozen endpoint are cut", s.Cut)
		}
		f.goOn(on)
		f.load.More(t, 600)
		f.load.Stop()
		caught := 0
		for _, err := range f.load.TakeFailures() {
			if !errors.Is(err, drive.ErrUnfinished) {
				t.Error(err)
			}
			caught++
		}
		t.Logf("%d of %d objects were caught; condemned at %v", caught, f.load.Done(), condemned)
		if caught > mostCaught {
			t.Errorf("%d objects were caught, want %d at most", caught, mostCaught)
		}
	})
}

// TestWaveUntilOneIsLeft drops one endpoint after the other, always one that is in
// use, and that with the most streams.
func TestWaveUntilOneIsLeft(t *testing.T) {
	inField(t, options{}, func(f *field) {
		var lost []*endpoint
		var on []*drive.Stream
		for len(lost) < len(f.endpoints)-1 {
			v := f.used()
			through := drive.StreamsOn(v.Process, f.streams)
			since := f.block(blocker.Drop(), v)
			lost, on = append(lost, v), append(on, through...)
			f.cuts(through, since, cutAfter+wordEvery)
			f.judges(lost, "blocked")
		}
		f.load.More(t, 100)
		f.goOn(on)
	})
}

func TestWholePrefixAtOnce(t *testing.T) {
	inField(t, options{}, func(f *field) {
		var lost []*endpoint
		for _, e := range f.endpoints {
			if listed.Contains(e.Host.Addr()) {
				lost = append(lost, e)
			}
		}
		on := f.on(lost...)
		if _, err := f.isp.Add(blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{listed}}, Do: blocker.Drop()}); err != nil {
			t.Fatal(err)
		}
		f.cutsOnly(on, time.Now(), cutAfter+wordEvery)
		f.load.More(t, 400)
		for _, s := range f.lost() {
			if !listed.Contains(netip.MustParseAddrPort(s.Endpoint).Addr()) || s.Verdict != "blocked" {
				t.Errorf("%s is %s: %s", s.Endpoint, s.Verdict, s.Why)
			}
		}
		if len(f.lost()) == 0 {
			t.Error("nothing was condemned")
		}
	})
}

// TestOwnNetworkDown takes all packets away, for less time than those who ask
// are patient: nothing is condemned, nothing is cut, and no request fails.
func TestOwnNetworkDown(t *testing.T) {
	inField(t, options{patience: 40 * time.Second}, func(f *field) {
		f.isp.Cut()
		time.Sleep(20 * time.Second)
		f.isp.Restore()
		f.load.More(t, 500)
		f.goOn(nil)
		f.judges(nil)
	})
}

// TestOneProcessKilled kills a process whose kernel then ends its connections, by
// FIN where it had read all that was sent: nobody can tell that from the end that
// a destination makes.
func TestOneProcessKilled(t *testing.T) {
	inField(t, options{}, func(f *field) {
		v := f.victim()
		on := f.on(v)
		since := time.Now()
		v.Signal(syscall.SIGKILL)
		f.cutsOnly(on, since, cutAfter, io.EOF)
		f.judges([]*endpoint{v}, "down")
		f.load.More(t, 100)
	})
}

// TestOneProcessStopped stops a process, and has it go on later: it is used
// again when it is needed.
func TestOneProcessStopped(t *testing.T) {
	inField(t, options{}, func(f *field) {
		v := f.victim()
		on := f.on(v)
		since := time.Now()
		v.Signal(syscall.SIGSTOP)
		f.cutsOnly(on, since, cutStopped)
		f.judges([]*endpoint{v}, "down")
		f.load.More(t, 100)
		v.Signal(syscall.SIGCONT)
		f.load.More(t, 100)
		f.goOn(on)
	})
}

// TestRelayRestarted starts the relay again while endpoints are blocked: first in
// order, then after it was killed. Requests that it has taken come to their end
// in order; those that a killed one had taken are lost with it, like its streams,
// and no other.
func TestRelayRestarted(t *testing.T) {
	o := options{active: 8, patience: drive.RequestPatience, restarts: true}
	inField(t, o, func(f *field) {
		var lost []*endpoint
		for _, e := range f.endpoints {
			if listed.Contains(e.Host.Addr()) {
				lost = append(lost, e)
			}
		}
		f.block(blocker.Drop(), lost...)
		f.load.More(t, 200)
		old := f.relay
		ended := make(chan int)
		go func() { ended <- old.Stop(t) }()
		drive.Eventually(t, "the relay's port is free", func() bool {
			c, err := f.isp.DialContext(t.Context(), "tcp", old.Addr)
			if err == nil {
				c.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		})
		f.start(old.Addr, o)
		f.load.More(t, 300)
		f.noneFails()
		if code := <-ended; code != 0 {
			t.Errorf("the relay that was stopped ended with status %d", code)
		}
		t.Logf("clients came %d times while nobody listened", f.load.Again())

		before := f.load.Done()
		f.relay.Signal(syscall.SIGKILL)
		<-f.relay.Ended
		killed := time.Now()
		f.start(old.Addr, o)
		f.load.More(t, 300)
		for _, fail := range f.load.TakeFailures() {
			if fail.Began.After(killed) {
				t.Error(fail)
			} else {
				t.Logf("lost with the relay that was killed: %v", fail)
			}
		}
		t.Logf("%d requests after it was killed", f.load.Done()-before)
	})
}

// used is the endpoint that carries the most streams, or any that is in use if
// none carries any.
func (f *field) used() *endpoint {
	f.t.Helper()
	states := make(map[string]string)
	for _, s := range f.said() {
		if strings.HasPrefix(s.Message, "endpoint ") && s.Message != "endpoint examined" {
			states[s.Endpoint] = s.Message
		}
	}
	var best *endpoint
	most := -1
	for _, e := range f.endpoints {
		// What is in use from the beginning is in no event, and carries streams.
		n, state := len(drive.StreamsOn(e.Process, f.streams)), states[e.Process.Addr]
		if n > most && (state == "endpoint in use" || state == "" && n > 0) {
			best, most = e, n
		}
	}
	if best == nil {
		f.t.Fatalf("no endpoint is in use: %v", states)
	}
	return best
}
