//go:build linux

package bench_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/bench"
)

// tiny are loads that show that everything is there, and nothing else.
var tiny = bench.Loads{
	RunUp: time.Millisecond, Flow: 10 * time.Millisecond,
	Connect: time.Minute, Connections: 40, Workers: 4,
	Held: 20, Idle: []int{30, 60}, Settle: time.Millisecond,
}

// self is this program, for anybody to run.
func self(t *testing.T) string {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path, remove, err := bench.Publish(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	return path
}

func pass(program string) bench.Contender {
	return bench.Contender{Name: "pass", Note: "a test", Command: func(_ string, listen, upstream netip.AddrPort) ([]string, error) {
		return []string{program, "pass", listen.String(), upstream.String()}, nil
	}}
}

// names are all figures of a relay.
func names() (all []string) {
	for _, flow := range []string{"down_1", "down_8", "up_8"} {
		all = append(all, flow+"_gb_per_s", flow+"_client_cpu_s_per_gb", flow+"_relay_cpu_s_per_gb", flow+"_upstream_cpu_s_per_gb")
	}
	all = append(all, "connections_per_s", "connections_p50_ms", "connections_p99_ms",
		"connections_client_cpu_ms", "connections_relay_cpu_ms", "connections_upstream_cpu_ms")
	for _, idle := range []string{"idle_30_", "idle_60_"} {
		all = append(all, idle+"kb", idle+"kernel_kb", idle+"descriptors", idle+"pipes")
	}
	return all
}

// TestBench looks at what a report consists of, not at how fast anything was.
func TestBench(t *testing.T) {
	program := self(t)
	broken := bench.Contender{Name: "broken", Command: func(string, netip.AddrPort, netip.AddrPort) ([]string, error) {
		return []string{"/bin/sh", "-c", "echo no such flag >&2; exit 1"}, nil
	}}
	for rounds, origin := range map[int]bool{1: true, 2: false} {
		b := bench.Bench{
			Contenders: []bench.Contender{bench.Straight(), pass(program), broken},
			Upstream:   []string{program, "upstream"}, Origin: origin, Rounds: rounds, Loads: tiny,
		}
		report, err := b.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		straight, relay, failed := report.Rows[0], report.Rows[1], report.Rows[2]
		for _, name := range names() {
			if f, ok := relay.Figures[name]; !ok || len(f.Rounds) != b.Rounds {
				t.Errorf("%s: %+v", name, f)
			}
		}
		for _, name := range []string{"down_1_gb_per_s", "down_8_gb_per_s", "up_8_gb_per_s", "connections_per_s"} {
			if f := straight.Figures[name]; f.Median <= 0 || f.Ratio != 1 {
				t.Errorf("straight: %s: %+v", name, f)
			}
			if f := relay.Figures[name]; f.Median <= 0 || f.Ratio <= 0 {
				t.Errorf("%s: %+v", name, f)
			}
		}
		for _, name := range []string{"down_8_relay_cpu_s_per_gb", "connections_relay_cpu_ms", "connections_upstream_cpu_ms"} {
			if f := relay.Figures[name]; f.Median <= 0 {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if cpu := straight.Figures["connections_relay_cpu_ms"].Median; cpu != 0 {
			t.Errorf("no relay used %v ms", cpu)
		}
		if cpu := relay.Figures["connections_origin_cpu_ms"].Median; (cpu > 0) != origin {
			t.Errorf("origin %v used %v ms", origin, cpu)
		}
		// Both sides of a stream; Go's copying may have pipes as well.
		if f := relay.Figures["idle_60_descriptors"]; f.Median-relay.Figures["idle_60_pipes"].Median < 2-1e-9 { // fractions of 60
			t.Errorf("descriptors of an idle stream: %+v", f)
		}
		if len(straight.Failures)+len(relay.Failures) > 0 || len(failed.Failures) != b.Rounds ||
			!strings.Contains(failed.Failures[0], "ended at once: no such flag") {
			t.Errorf("failures %q, %q, %q", straight.Failures, relay.Failures, failed.Failures)
		}
		var text strings.Builder
		if _, err := report.WriteTo(&text); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{fmt.Sprintf("medians of %d rounds", rounds), "\n  straight ", "\n  pass ", "\npass: a test\n", "\nbroken failed: "} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("no %q in\n%s", want, text.String())
			}
		}
		if strings.Contains(text.String(), "NaN") {
			t.Errorf("said\n%s", text.String())
		}
		if _, err := json.Marshal(report); err != nil {
			t.Error(err)
		}
	}
}

// TestTooManyStreams leaves out what the limit on descriptors forbids.
func TestTooManyStreams(t *testing.T) {
	program := self(t)
	loads := tiny
	loads.Idle = []int{1 << 30}
	b := bench.Bench{Contenders: []bench.Contender{bench.Straight()}, Upstream: []string{program, "upstream"}, Rounds: 1, Loads: loads}
	report, err := b.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Idle) != 0 || len(report.Notes) != 1 || !strings.HasPrefix(report.Notes[0], "1073741824 idle streams need ") {
		t.Errorf("idle %v, notes %q", report.Idle, report.Notes)
	}
}

// TestNothingToCompareWith has no straight, or one that does not work.
func TestNothingToCompareWith(t *testing.T) {
	b := bench.Bench{Contenders: []bench.Contender{pass("")}, Rounds: 1, Loads: tiny}
	if _, err := b.Run(t.Context()); err == nil {
		t.Error("measured without straight")
	}
	b = bench.Bench{Contenders: []bench.Contender{bench.Straight()}, Upstream: []string{"/bin/echo"}, Rounds: 1, Loads: tiny}
	if _, err := b.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "straight: ") {
		t.Errorf("%v", err)
	}
}

func TestFind(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	absent := bench.Peer{Program: "no-such-relay", Package: "no-such-package"}
	if found, missing := bench.Find(absent); len(found) != 0 || len(missing) != 1 || missing[0].Package != absent.Package {
		t.Errorf("found %v, missing %v", found, missing)
	}
}

func TestPorts(t *testing.T) {
	u, err := bench.NewUpstream(netip.MustParseAddr("127.0.0.1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if got, err := bench.ParsePorts(u.Ports().String()); err != nil || got != u.Ports() {
		t.Errorf("%v, %v, want %v", got, err, u.Ports())
	}
	for _, line := range []string{"", "upstream", "upstream a b c d", errors.ErrUnsupported.Error()} {
		if p, err := bench.ParsePorts(line); err == nil {
			t.Errorf("%q is %v", line, p)
		}
	}
}
