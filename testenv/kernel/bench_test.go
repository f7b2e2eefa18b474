//go:build linux

package kernel_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel"
)

// lab is a world for benchmarks.
func lab(b *testing.B) (*kernel.Vantage, *kernel.Host) {
	b.Helper()
	supported(b)
	n, err := kernel.New(kernel.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { n.Close() })
	if err := n.Route(netip.MustParsePrefix("52.58.0.0/15")); err != nil {
		b.Fatal(err)
	}
	v, err := n.Vantage(netip.MustParseAddr("100.64.0.1"), netip.MustParsePrefix("100.64.0.0/24"), new(record))
	if err != nil {
		b.Fatal(err)
	}
	h, err := n.Host(serverAddr)
	if err != nil {
		b.Fatal(err)
	}
	return v, h
}

func accept(b *testing.B, h *kernel.Host, f func(net.Conn)) {
	b.Helper()
	l, err := h.Listen(443)
	if err != nil {
		b.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { defer c.Close(); f(c) })
		}
	})
	b.Cleanup(func() { l.Close(); h.Abort(); running.Wait() })
}

func BenchmarkThroughput(b *testing.B) {
	for _, c := range []struct {
		name   string
		trains bool
		rules  []blocker.Rule
	}{
		{"segments", false, nil},
		{"trains", true, nil},
		{"segments under a freeze", false, []blocker.Rule{{Do: blocker.Freeze(1 << 30).Counting(blocker.Up)}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			kernel.SetTrains(c.trains)
			defer kernel.SetTrains(false)
			v, h := lab(b)
			const block = 1 << 20
			accept(b, h, func(c net.Conn) {
				buffer := make([]byte, block)
				for {
					if _, err := c.Write(buffer); err != nil {
						return
					}
				}
			})
			set, _ := (*blocker.RuleSet)(nil).Replacing(c.rules)
			if err := v.Rules(set); err != nil {
				b.Fatal(err)
			}
			conn, err := v.Host().Dial(b.Context(), server)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			buffer := make([]byte, block)
			b.SetBytes(block)
			for b.Loop() {
				if _, err := io.ReadFull(conn, buffer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkConnections(b *testing.B) {
	v, h := lab(b)
	accept(b, h, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			c, err := v.Host().Dial(b.Context(), server)
			if err != nil {
				b.Error(err)
				return
			}
			c.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conn/s")
}

func BenchmarkWorld(b *testing.B) {
	supported(b)
	for b.Loop() {
		n, err := kernel.New(kernel.Config{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := n.Vantage(netip.MustParseAddr("100.64.0.1"), netip.MustParsePrefix("100.64.0.0/24"), nil); err != nil {
			b.Fatal(err)
		}
		if err := n.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// A million addresses that no two have as neighbours.
func million() *blocker.PrefixSet {
	all := make([]netip.Prefix, 1_000_000)
	for i := range all {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 0x0b000000+uint32(2*i))
		all[i] = netip.PrefixFrom(netip.AddrFrom4(a), 32)
	}
	return blocker.NewPrefixSet(all...)
}

func BenchmarkLoadMillion(b *testing.B) {
	v, _ := lab(b)
	list := million()
	for b.Loop() {
		set, _ := (*blocker.RuleSet)(nil).With(blocker.Rule{When: blocker.When{Set: list}, Do: blocker.Reset()})
		if err := v.Rules(set); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := v.Rules(nil); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkAddToMillion(b *testing.B) {
	v, h := lab(b)
	accept(b, h, echo)
	list := million()
	set, id := (*blocker.RuleSet)(nil).With(blocker.Rule{When: blocker.When{Set: list}, Do: blocker.Reset()})
	if err := v.Rules(set); err != nil {
		b.Fatal(err)
	}
	i := uint32(0)
	for b.Loop() {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 0x40000000+2*i)
		i++
		list = list.With(netip.PrefixFrom(netip.AddrFrom4(a), 32))
		set = set.Revised(id, blocker.Rule{When: blocker.When{Set: list}, Do: blocker.Reset()})
		if err := v.Rules(set); err != nil {
			b.Fatal(err)
		}
	}
	set = set.Revised(id, blocker.Rule{When: blocker.When{Set: list.With(netip.PrefixFrom(serverAddr, 32))}, Do: blocker.Reset()})
	if err := v.Rules(set); err != nil {
		b.Fatal(err)
	}
	if _, err := v.Host().Dial(b.Context(), server); !errors.Is(err, syscall.ECONNREFUSED) {
		b.Errorf("the last of the list: %v", err)
	}
}
