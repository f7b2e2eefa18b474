//go:build linux

package failure_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/cmd/paperplane/internal/drive"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

const (
	// streams are held through the relay, each by a client of its own, which says
	// a word every second.
	streams   = 200
	wordEvery = time.Second
	// warm is how long the load runs before anything is done.
	warm = 6 * time.Second
	// cutAfter is the longest from a stream's loss to its cut where the path or
	// the machine falls silent, and cutStopped where only the process does: its
	// kernel goes on to acknowledge, and a few examinations have to time out.
	cutAfter   = 3 * time.Second
	cutStopped = 3 * cutAfter
)

// prefixes are where the endpoints are, three in each, with two providers.
var prefixes = map[string][]string{
	"amazon": {"52.58.0.0/16", "18.196.0.0/16"},
	"google": {"35.192.0.0/16", "35.224.0.0/16"},
}

// listed is the prefix that is blocked as a whole.
var listed = netip.MustParsePrefix("52.58.0.0/16")

// endpoint is a machine with paperplane exit on it.
type endpoint struct {
	*testenv.Host
	*drive.Process
}

// field is a world with a relay, endpoints, and load.
type field struct {
	t         *testing.T
	world     *testenv.World
	isp       *testenv.ISP
	endpoints []*endpoint
	relay     *drive.Process
	through   drive.Relay
	load      *drive.Load
	streams   []*drive.Stream
}

type options struct {
	active   int           // endpoints in use; zero means 8
	patience time.Duration // of relay and clients; zero means drive.RequestPatience
	size     int           // of an answer, in bytes, besides its last line
	restarts bool          // clients expect the relay to be started again
}

// inField builds a world of its own for play, has the load going, and judges
// what holds in all of them: that no request has failed, and that nobody has
// dialled a destination from inside the ISP.
func inField(t *testing.T, o options, play func(f *field)) {
	t.Parallel()
	f := &field{t: t}
	var err error
	if f.world, err = testenv.Open(testenv.Config{Seed: 1, Backend: testenv.Kernel}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the processes have ended
		if err := f.world.Close(); err != nil {
			t.Errorf("closing the world: %v", err)
		}
	})
	f.isp = f.world.ISP("isp", testenv.ISPConfig{})
	site := f.world.Destination("site.lab", testenv.DestinationConfig{})
	serve(t, site, 80, func(c net.Conn) { answer(c, o.size) })
	serve(t, site, 7, drive.Echo)
	for _, provider := range []string{"amazon", "google"} {
		f.launch(provider)
	}
	if o.active == 0 {
		o.active = 8
	}
	if o.patience == 0 {
		o.patience = drive.RequestPatience
	}
	f.start("127.0.0.1:0", o)
	f.through = drive.Relay{Addr: f.relay.Addr, Dial: f.isp.DialContext}
	f.streams = drive.OpenStreams(t, f.through, netip.AddrPortFrom(site.Addr(), 7).String(), streams, wordEvery)
	f.load = drive.Requests{
		Relay: f.through, Destination: netip.AddrPortFrom(site.Addr(), 80).String(), Patience: o.patience, Restarts: o.restarts,
	}.Start()
	defer f.load.Stop()
	time.Sleep(warm)
	if n := len(drive.Alive(f.streams)); n < streams {
		t.Fatalf("%d of %d streams have ended before anything happened", streams-n, streams)
	}

	play(f)

	f.load.Stop()
	t.Logf("%d requests, the slowest took %v; %d of %d streams are left",
		f.load.Done(), f.load.Slowest().Round(time.Millisecond), len(drive.Alive(f.streams)), streams)
	f.noneFails()
	if n := len(f.world.Ledger().Directs); n > 0 {
		t.Errorf("%d dials went to destinations directly", n)
	}
	drive.Close(f.streams)
	if code := f.relay.Stop(t); code != 0 {
		t.Errorf("the relay ended with status %d", code)
	}
}

// launch starts the endpoints of a provider.
func (f *field) launch(provider string) {
	f.t.Helper()
	var all []netip.Prefix
	for _, p := range prefixes[provider] {
		all = append(all, netip.MustParsePrefix(p))
	}
	cloud := f.world.Cloud(provider, testenv.CloudConfig{Prefixes: all})
	for _, p := range all {
		for n := range byte(3) {
			b := p.Addr().As4()
			b[2], b[3] = 4+n, 7+n
			host, err := cloud.Host(netip.AddrFrom4(b))
			if err != nil {
				f.t.Fatal(err)
			}
			f.endpoints = append(f.endpoints, &endpoint{host, f.exit(host)})
		}
	}
}

func (f *field) exit(h *testenv.Host) *drive.Process {
	f.t.Helper()
	return drive.Start(f.t, h.Run, exec.Command(build.Path(f.t), "exit",
		"--listen", netip.AddrPortFrom(h.Addr(), 1080).String(), "--allow-client", "0.0.0.0/0"))
}

// start starts a relay that listens on an address.
func (f *field) start(listen string, o options) {
	f.t.Helper()
	args := []string{
		"relay", "--listen", listen, "--active", fmt.Sprint(o.active), "--patience", o.patience.String(),
		"--log-format", "json",
	}
	for _, e := range f.endpoints {
		args = append(args, "socks5://"+e.Process.Addr)
	}
	f.relay = drive.Start(f.t, f.isp.Start, exec.Command(build.Path(f.t), args...))
}

func serve(t *testing.T, h *testenv.Host, port uint16, f func(net.Conn)) {
	t.Helper()
	if err := h.Serve(port, f); err != nil {
		t.Fatal(err)
	}
}

// answer answers GET /n with so many bytes and "hello /n".
func answer(c net.Conn, size int) {
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil {
		return
	}
	for h := line; h != "\r\n"; {
		if h, err = r.ReadString('\n'); err != nil {
			return
		}
	}
	_, _ = c.Write(append(make([]byte, size), "hello "+strings.Fields(line)[1]...))
}

// said is an event that the relay has logged.
type said struct {
	Time     time.Time `json:"time"`
	Message  string    `json:"msg"`
	Endpoint string    `json:"endpoint"`
	Verdict  string    `json:"verdict"`
	Why      string    `json:"why"`
}

// said is what the relay has logged so far.
func (f *field) said() (all []said) {
	f.t.Helper()
	d := json.NewDecoder(strings.NewReader(f.relay.Said()))
	for {
		var s said
		switch err := d.Decode(&s); {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF): // a line that is being written
			return all
		case err != nil:
			f.t.Fatalf("the relay's log: %v", err)
		}
		all = append(all, s)
	}
}

// lost is the endpoints that the relay has condemned so far.
func (f *field) lost() []said {
	f.t.Helper()
	return slices.DeleteFunc(f.said(), func(s said) bool { return s.Message != "endpoint lost" })
}

// judges waits until the endpoints are condemned, and fails unless they are with
// one of these verdicts, and no other was.
func (f *field) judges(lost []*endpoint, verdicts ...string) {
	f.t.Helper()
	known := func(e *endpoint) bool {
		return slices.ContainsFunc(f.lost(), func(s said) bool { return s.Endpoint == e.Process.Addr })
	}
	for _, e := range lost {
		drive.Eventually(f.t, "the relay condemns "+e.Process.Addr, func() bool { return known(e) })
	}
	for _, s := range f.lost() {
		switch {
		case !slices.ContainsFunc(lost, func(e *endpoint) bool { return s.Endpoint == e.Process.Addr }):
			f.t.Errorf("%s, which is well, was condemned: %s, %s", s.Endpoint, s.Verdict, s.Why)
		case !slices.Contains(verdicts, s.Verdict):
			f.t.Errorf("%s is %s (%s), want %v", s.Endpoint, s.Verdict, s.Why, verdicts)
		}
	}
}

// on is the streams through endpoints, by endpoint, of which at least one must
// carry any.
func (f *field) on(endpoints ...*endpoint) (all []*drive.Stream) {
	f.t.Helper()
	for _, e := range endpoints {
		all = append(all, drive.StreamsOn(e.Process, f.streams)...)
	}
	if len(all) == 0 {
		f.t.Fatal("no stream runs through what is to be lost: the test shows nothing")
	}
	return all
}

// victim is the endpoint that carries the most streams.
func (f *field) victim() *endpoint {
	f.t.Helper()
	var most *endpoint
	n := 0
	for _, e := range f.endpoints {
		if on := len(drive.StreamsOn(e.Process, f.streams)); on > n {
			most, n = e, on
		}
	}
	if most == nil {
		f.t.Fatal("no endpoint carries a stream")
	}
	return most
}

// cutsOnly is cuts, and fails unless all other streams go on.
func (f *field) cutsOnly(lost []*drive.Stream, since time.Time, within time.Duration, allowed ...error) {
	f.t.Helper()
	f.cuts(lost, since, within, allowed...)
	f.goOn(lost)
}

// cuts waits until the given streams, which are lost since a moment, have ended,
// and fails unless that was in time and by a reset, or in another way that is
// allowed.
func (f *field) cuts(lost []*drive.Stream, since time.Time, within time.Duration, allowed ...error) {
	f.t.Helper()
	for _, s := range lost {
		drive.Eventually(f.t, "the streams that are lost are cut", s.Cut)
		at, err := s.Ended()
		if took := worldtest.Took(since, at); took > within+worldtest.Tolerance() {
			f.t.Errorf("a stream was cut %v after its endpoint was lost, want %v at most", took, within)
		}
		if !errors.Is(err, syscall.ECONNRESET) && !slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) }) {
			f.t.Errorf("a stream that was lost ended with %v", err)
		}
	}
}

// goOn fails unless all streams but the given ones go on.
func (f *field) goOn(but []*drive.Stream) {
	f.t.Helper()
	ended := 0
	before := drive.Words(f.streams)
	for i, s := range f.streams {
		if slices.Contains(but, s) {
			continue
		}
		drive.Eventually(f.t, "the streams that are left go on", func() bool { return s.Cut() || s.Echoed.Load() > before[i] })
		if s.Cut() {
			if ended++; ended == 1 {
				_, err := s.Ended()
				f.t.Errorf("a stream whose endpoint was not lost ended with %v", err)
			}
		}
	}
	if ended > 0 {
		f.t.Errorf("%d streams have ended whose endpoints were not lost", ended)
	}
}

func (f *field) noneFails() {
	f.t.Helper()
	for n, err := range f.load.Failures() {
		if n == 5 {
			f.t.Errorf("and %d more of %d requests", len(f.load.Failures())-n, f.load.Done())
			return
		}
		f.t.Error(err)
	}
}

// block has the ISP do something to endpoints, and returns when.
func (f *field) block(do blocker.Action, endpoints ...*endpoint) time.Time {
	f.t.Helper()
	r := blocker.Rule{Do: do}
	for _, e := range endpoints {
		r.When.Prefixes = append(r.When.Prefixes, netip.PrefixFrom(e.Host.Addr(), 32))
	}
	if _, err := f.isp.Add(r); err != nil {
		f.t.Fatal(err)
	}
	return time.Now()
}
