package failure_test

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// TestPrefixesLostUnderFlights loses two of the four prefixes while requests are
// under way through them, and the third a moment later, when some have just
// moved there: the pool has not judged the first loss by then. The destination
// has no part in any of it, so every request must reach it through what is left.
func TestPrefixesLostUnderFlights(t *testing.T) {
	t.Parallel()
	acts := []struct {
		name string
		do   blocker.Action
	}{
		{"reset", blocker.Reset()},
		{"drop", blocker.Drop()},
		// The greeting passes, and hardly more.
		{"freeze", blocker.Freeze(64)},
	}
	moments := []struct {
		name string
		// connect and answer are how long the destination takes to accept a
		// connection, and then to answer.
		connect, answer time.Duration
	}{
		{"connect", time.Second, 0},
		{"transfer", 0, 2 * time.Second},
	}
	pauses := []time.Duration{0, 600 * time.Millisecond, 1200 * time.Millisecond}
	if raceDetector || brief() {
		pauses = pauses[1:2]
	}
	for _, s := range suites() {
		for _, m := range moments {
			for _, first := range acts {
				for _, second := range acts {
					t.Run(fmt.Sprintf("%s/%s/%s then %s", s.name, m.name, first.name, second.name), func(t *testing.T) {
						t.Parallel()
						if m.connect > 0 {
							worldtest.Needs(t, worldtest.Latency)
						}
						for _, pause := range pauses {
							lostUnderFlights(t, s, m.connect, m.answer, first.do, second.do, pause)
						}
					})
				}
			}
		}
	}
}

func lostUnderFlights(t *testing.T, s suite, connect, answer time.Duration, first, second blocker.Action, pause time.Duration) {
	t.Helper()
	o := options{suite: s, active: 16, quiet: true, adjust: func(a *arena) {
		slow := a.world.Destination("slow.lab", testenv.DestinationConfig{Latency: worldtest.Far(connect / 2)})
		for _, port := range []uint16{80, 443, 9} {
			serve(t, slow, port, func(c net.Conn) {
				if _, err := c.Read(make([]byte, 4096)); err == nil {
					time.Sleep(answer)
					fmt.Fprintf(c, "via %s\n", addrOf(c.RemoteAddr()))
				}
			})
		}
	}}
	inArena(t, o, func(a *arena) {
		var asked sync.WaitGroup
		for n := range 16 {
			asked.Go(func() {
				if r := a.ask(fmt.Sprintf("client-%d", n), "slow.lab:"+s.port, ""); r.err != nil {
					a.t.Errorf("%v between the losses: request %d: %v", pause, n, r.err)
				}
			})
		}
		time.Sleep(500 * time.Millisecond)
		a.block(within(first, "52.58.0.0/16", "35.192.0.0/16"))
		time.Sleep(pause)
		a.block(within(second, "18.196.0.0/16"))
		asked.Wait()
		a.neverDirect()
		a.log()
	})
}

// within is a rule for whole prefixes.
func within(do blocker.Action, prefixes ...string) blocker.Rule {
	r := blocker.Rule{Do: do}
	for _, p := range prefixes {
		r.When.Prefixes = append(r.When.Prefixes, netip.MustParsePrefix(p))
	}
	return r
}
