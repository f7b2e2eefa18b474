package blocker_test

import (
	"crypto/tls"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

var (
	epoch    = time.Date(2018, 4, 16, 12, 0, 0, 0, time.UTC)
	client   = netip.MustParseAddrPort("100.64.0.1:40000")
	endpoint = netip.MustParseAddrPort("52.58.4.7:1080")
	amazon   = netip.MustParsePrefix("52.58.0.0/15")
)

// step is one packet of a trace, and what must come of it.
type step struct {
	after time.Duration // since the step before
	blocker.Packet
	act  blocker.Act
	pass int
}

func syn(act blocker.Act) step { return step{Packet: blocker.Packet{Dir: blocker.Up}, act: act} }

func synack(act blocker.Act) step {
	return step{Packet: blocker.Packet{Dir: blocker.Down, Kind: blocker.SynAck}, act: act}
}

func ack(act blocker.Act) step {
	return step{Packet: blocker.Packet{Dir: blocker.Up, Kind: blocker.Ack}, act: act}
}

func data(d blocker.Direction, size int, act blocker.Act, pass int) step {
	return step{Packet: blocker.Packet{Dir: d, Kind: blocker.Data, Size: size}, act: act, pass: pass}
}

func later(d time.Duration, s step) step {
	s.after = d
	return s
}

func TestTraces(t *testing.T) {
	only := func(d blocker.Direction) blocker.When { return blocker.When{Dir: d} }
	for _, test := range []struct {
		name  string
		rules []blocker.Rule
		trace []step
	}{
		{"no rule", nil, []step{syn(blocker.Forward), data(blocker.Down, 1<<20, blocker.Forward, 0)}},
		{"drop by prefix", []blocker.Rule{{When: blocker.When{Prefixes: []netip.Prefix{amazon}}}}, []step{syn(blocker.Discard)}},
		{"drop elsewhere", []blocker.Rule{{When: blocker.When{Prefixes: []netip.Prefix{netip.MustParsePrefix("52.60.0.0/16")}}}}, []step{syn(blocker.Forward)}},
		{"drop by port", []blocker.Rule{{When: blocker.When{Ports: []uint16{443, 1080}}}}, []step{syn(blocker.Discard)}},
		{"another port", []blocker.Rule{{When: blocker.When{Ports: []uint16{443}}}}, []step{syn(blocker.Forward)}},
		{"reset", []blocker.Rule{{Do: blocker.Reset()}}, []step{syn(blocker.Forge)}},
		{"reject", []blocker.Rule{{Do: blocker.Reject()}}, []step{syn(blocker.Refuse)}},
		{"one way", []blocker.Rule{{When: only(blocker.Down)}}, []step{syn(blocker.Forward), synack(blocker.Discard)}},
		{"the first rule that acts decides", []blocker.Rule{{When: only(blocker.Down)}, {Do: blocker.Reset()}, {Do: blocker.Reject()}}, []step{syn(blocker.Forge), synack(blocker.Discard)}},
		{"freeze splits at the byte", []blocker.Rule{{Do: blocker.Freeze(16 << 10)}}, []step{
			syn(blocker.Forward), synack(blocker.Forward), ack(blocker.Forward),
			data(blocker.Up, 384, blocker.Forward, 0),
			data(blocker.Down, 10_000, blocker.Forward, 0),
			data(blocker.Down, 10_000, blocker.Discard, 6_000),
			ack(blocker.Discard),
			data(blocker.Up, 10, blocker.Discard, 0),
			data(blocker.Down, 4_000, blocker.Discard, 0),
		}},
		{"freeze by packets", []blocker.Rule{{Do: blocker.FreezePackets(3)}}, []step{
			syn(blocker.Forward), synack(blocker.Forward), ack(blocker.Forward),
			data(blocker.Up, 10, blocker.Forward, 0), ack(blocker.Forward),
			data(blocker.Down, 1460, blocker.Forward, 0),
			data(blocker.Down, 3000, blocker.Discard, 1460),
			data(blocker.Up, 10, blocker.Discard, 0), ack(blocker.Discard),
		}},
		{"freeze by packets down", []blocker.Rule{{Do: blocker.FreezePackets(2).Counting(blocker.Down)}}, []step{
			data(blocker.Up, 1<<20, blocker.Forward, 0), data(blocker.Down, 1461, blocker.Forward, 0), data(blocker.Down, 1, blocker.Discard, 0),
		}},
		{"freeze on the limit exactly", []blocker.Rule{{Do: blocker.Freeze(1000)}}, []step{
			data(blocker.Down, 1000, blocker.Forward, 0), data(blocker.Down, 1, blocker.Discard, 0),
		}},
		{"freeze counting down", []blocker.Rule{{Do: blocker.Freeze(1000).Counting(blocker.Down)}}, []step{
			data(blocker.Up, 5000, blocker.Forward, 0),
			data(blocker.Down, 999, blocker.Forward, 0),
			data(blocker.Up, 5000, blocker.Forward, 0),
			data(blocker.Down, 2, blocker.Discard, 1),
			data(blocker.Up, 5000, blocker.Discard, 0),
		}},
		{"police", []blocker.Rule{{Do: blocker.Police(16 << 10)}}, []step{
			syn(blocker.Forward),
			data(blocker.Down, 20_000, blocker.Discard, 16<<10),
			later(500*time.Millisecond, data(blocker.Down, 20_000, blocker.Discard, 8<<10)),
			data(blocker.Up, 1000, blocker.Forward, 0),
			ack(blocker.Forward),
			later(time.Hour, data(blocker.Down, 16<<10, blocker.Forward, 0)),
		}},
		{"dates", []blocker.Rule{{When: blocker.When{From: epoch.Add(time.Minute), Until: epoch.Add(2 * time.Minute)}}}, []step{
			syn(blocker.Forward),
			later(time.Minute-1, ack(blocker.Forward)),
			later(1, ack(blocker.Discard)),
			later(time.Minute-1, ack(blocker.Discard)),
			later(1, ack(blocker.Forward)),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			rules, _ := (*blocker.RuleSet)(nil).Replacing(test.rules)
			f := blocker.Flow{Client: client, Server: endpoint}
			now := epoch
			for i, s := range test.trace {
				now = now.Add(s.after)
				d := f.Decide(rules, nil, s.Packet, now)
				if d.Act != s.act || d.Pass != s.pass {
					t.Fatalf("step %d: %v %d bytes %v: %v passing %d, want %v passing %d", i, s.Kind, s.Size, s.Dir, d.Act, d.Pass, s.act, s.pass)
				}
			}
		})
	}
}

func TestFlowsUnderOneRuleAreStrangers(t *testing.T) {
	rules, _ := (*blocker.RuleSet)(nil).With(blocker.Rule{When: blocker.When{Names: []string{"telegram.lab"}}, Do: blocker.Reset()})
	for range 3 {
		f := blocker.Flow{Client: client, Server: endpoint}
		if d := f.Decide(rules, nil, hello(t, "web.telegram.lab"), epoch); d.Act != blocker.Forge {
			t.Fatalf("%+v", d)
		}
	}
	f := blocker.Flow{Client: client, Server: endpoint}
	if d := f.Decide(rules, nil, hello(t, "nottelegram.lab"), epoch); d.Act != blocker.Forward {
		t.Fatalf("%+v", d)
	}
}

func TestRulesChangeUnderAFlow(t *testing.T) {
	rules, freeze := (*blocker.RuleSet)(nil).With(blocker.Rule{Do: blocker.Freeze(1000)})
	f := blocker.Flow{Client: client, Server: endpoint}
	send := func(want blocker.Act) {
		t.Helper()
		if d := f.Decide(rules, nil, blocker.Packet{Dir: blocker.Down, Kind: blocker.Data, Size: 600}, epoch); d.Act != want {
			t.Fatalf("%+v, want %v", d, want)
		}
	}
	send(blocker.Forward)
	send(blocker.Discard)
	rules, _ = rules.With(blocker.Rule{When: blocker.When{Ports: []uint16{1}}})
	send(blocker.Discard)
	rules = rules.Without(freeze)
	send(blocker.Forward)
	if rules.Len() != 1 || rules.Generation() != 3 {
		t.Errorf("%d rules, generation %d", rules.Len(), rules.Generation())
	}
}

func TestProbabilityIsDrawnOncePerFlow(t *testing.T) {
	rules, _ := (*blocker.RuleSet)(nil).With(blocker.Rule{When: blocker.When{Probability: 0.3}})
	hit := 0
	for seed := range uint64(10_000) {
		f := blocker.Flow{Client: client, Server: endpoint, Seed: seed}
		first := f.Decide(rules, nil, blocker.Packet{Dir: blocker.Up}, epoch)
		for range 5 {
			if f.Decide(rules, nil, blocker.Packet{Dir: blocker.Up}, epoch) != first {
				t.Fatal("a flow's lot changed")
			}
		}
		if first.Act == blocker.Discard {
			hit++
		}
	}
	if hit < 2800 || hit > 3200 {
		t.Errorf("%d of 10000 flows, want about 3000", hit)
	}
}

func TestResidue(t *testing.T) {
	rules, _ := (*blocker.RuleSet)(nil).With(blocker.Rule{
		When: blocker.When{Names: []string{"telegram.lab"}},
		Do:   blocker.Drop().Lingering(10 * time.Minute),
	})
	var residue blocker.Residue
	open := func(server netip.AddrPort, at time.Duration) blocker.Act {
		f := blocker.Flow{Client: client, Server: server}
		return f.Decide(rules, &residue, blocker.Packet{Dir: blocker.Up}, epoch.Add(at)).Act
	}
	if open(endpoint, 0) != blocker.Forward {
		t.Fatal("blocked without a trigger")
	}
	f := blocker.Flow{Client: client, Server: endpoint}
	f.Decide(rules, &residue, hello(t, "telegram.lab"), epoch)
	if open(endpoint, 10*time.Minute-1) != blocker.Discard {
		t.Error("the window is not open")
	}
	if open(netip.MustParseAddrPort("52.58.4.8:1080"), time.Minute) != blocker.Forward {
		t.Error("the window is open for a stranger")
	}
	if open(endpoint, 10*time.Minute) != blocker.Forward {
		t.Error("the window does not close")
	}
}

func TestResidueRenewed(t *testing.T) {
	rules, _ := (*blocker.RuleSet)(nil).With(blocker.Rule{
		When: blocker.When{Names: []string{"telegram.lab"}},
		Do:   blocker.Drop().Lingering(time.Minute).Renewing(),
	})
	var residue blocker.Residue
	open := func(at time.Duration) blocker.Act {
		f := blocker.Flow{Client: client, Server: endpoint}
		return f.Decide(rules, &residue, blocker.Packet{Dir: blocker.Up}, epoch.Add(at)).Act
	}
	f := blocker.Flow{Client: client, Server: endpoint}
	f.Decide(rules, &residue, hello(t, "telegram.lab"), epoch)
	if open(50*time.Second) != blocker.Discard || open(100*time.Second) != blocker.Discard {
		t.Error("an attempt does not renew the window")
	}
	if open(160*time.Second) != blocker.Forward {
		t.Error("the window does not close for who waits")
	}
}

// hello is a packet with a ClientHello that asks for a name.
func hello(t testing.TB, name string) blocker.Packet {
	t.Helper()
	c, s := net.Pipe()
	go func() {
		_ = tls.Client(c, &tls.Config{ServerName: name}).Handshake() //nolint:gosec // only the first message matters
		_ = c.Close()
	}()
	b := make([]byte, 8<<10)
	n, err := s.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	return blocker.Packet{Dir: blocker.Up, Kind: blocker.Data, Size: n, Payload: b[:n]}
}

func BenchmarkDecideUnblocked(b *testing.B) {
	rules, _ := (*blocker.RuleSet)(nil).With(blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{netip.MustParsePrefix("1.0.0.0/8")}}})
	f := blocker.Flow{Client: client, Server: endpoint}
	p := blocker.Packet{Dir: blocker.Down, Kind: blocker.Data, Size: 1448}
	b.ReportAllocs()
	for b.Loop() {
		f.Decide(rules, nil, p, epoch)
	}
}
