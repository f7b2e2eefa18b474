package testenv_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
	"github.com/paperplane-relay/paperplane/testenv/worldtest"
)

// A host can be slow and alive; its neighbours are as they were.
func TestSlowHost(t *testing.T) {
	t.Parallel()
	worldtest.Needs(t, worldtest.Latency)
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{Latency: 10 * time.Millisecond})
		c, h := s.echo(t)
		other, _ := s.echo(t)
		h.Line().Delay(800 * time.Millisecond)
		start := time.Now()
		if err := bounce(c, 100); err != nil || !justAfter(start, 1650*time.Millisecond) {
			t.Errorf("slow: %v after %v", err, time.Since(start))
		}
		start = time.Now()
		if err := bounce(other, 100); err != nil || !justAfter(start, 50*time.Millisecond) {
			t.Errorf("its neighbour: %v after %v", err, time.Since(start))
		}
		start = time.Now()
		d, err := s.dial(h, 7)
		if err != nil || !justAfter(start, 1650*time.Millisecond) {
			t.Fatalf("dial: %v after %v", err, time.Since(start))
		}
		_ = d.Close()
		if l := s.Ledger(); l.Lost != 0 || len(l.Hits) != 0 {
			t.Errorf("%d lost, hits %v", l.Lost, l.Hits)
		}
	})
}

// What is lost one way shows at one end, and what is lost on the way up never
// reaches the border.
func TestLossOneWay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		up, down memnet.Loss
	}{
		{"up", memnet.Loss{Share: 0.2}, memnet.Loss{}},
		{"down", memnet.Loss{}, memnet.Loss{Share: 0.2}},
		{"bursts down", memnet.Loss{}, memnet.Bursts(0.2, 2)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.up.Mean() != test.up.Share || test.down.Mean() != test.down.Share {
				worldtest.Needs(t, worldtest.Bursts)
			}
			worldtest.Run(t, func(t *testing.T) {
				s := newScene(t, testenv.ISPConfig{Latency: 10 * time.Millisecond})
				h, _ := s.cloud.Host(netip.Addr{})
				const size = 3 << 20
				answered := make(chan policy.Flow, 1)
				_ = h.Serve(80, func(c net.Conn) {
					n, _ := c.Write(make([]byte, size))
					m, _ := io.Copy(io.Discard, c)
					if n == size && m == size {
						answered <- flowOf(t, c)
					}
				})
				c, err := s.dial(h, 80)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				s.isp.Line().Lose(test.up, test.down)
				if _, err := io.CopyN(io.Discard, c, size); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Write(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
				_ = c.(interface{ CloseWrite() error }).CloseWrite()
				far := <-answered
				here := flowOf(t, c)
				if lossy := test.up.Mean() > 0; here.Resent > 100 != lossy || far.Disordered > 100 != lossy {
					t.Errorf("here %+v, there %+v", here, far)
				}
				if lossy := test.down.Mean() > 0; far.Resent > 100 != lossy || here.Disordered > 100 != lossy {
					t.Errorf("here %+v, there %+v", here, far)
				}
				l := s.Ledger()
				p := l.Path("north", netip.AddrPortFrom(h.Addr(), 80))
				// What is drawn for whom goes by the order in which packets come,
				// which is the same each time in virtual time only.
				least := int64(400)
				if worldtest.RealTime() {
					least = 300
				}
				if l.Lost < least || len(l.Hits) != 0 || p.Dropped != 0 {
					t.Errorf("%d lost, hits %v, %+v", l.Lost, l.Hits, p)
				}
				if extra := p.Up - size; extra > size/10 {
					t.Errorf("the border saw %d bytes that were sent again on the way up", extra)
				}
				s.isp.Line().Lose(memnet.Loss{}, memnet.Loss{})
				if d, err := s.dial(h, 80); err != nil {
					t.Errorf("afterwards: %v", err)
				} else {
					_ = d.Close()
				}
			})
		})
	}
}

func flowOf(t *testing.T, c net.Conn) policy.Flow {
	f, ok := upstream.ReadFlow(c)
	if !ok {
		t.Error("the flow cannot be read")
	}
	return f
}

// The customers of an ISP share its line: one's download is another's delay.
func TestSharedBottleneck(t *testing.T) {
	t.Parallel()
	worldtest.Needs(t, worldtest.Queues)
	worldtest.Run(t, func(t *testing.T) {
		s := newScene(t, testenv.ISPConfig{Latency: 10 * time.Millisecond})
		s.isp.Line().Narrow(memnet.Queue{Rate: 100_000, Buffer: 100_000}, memnet.Queue{Rate: 500_000, Buffer: 500_000})
		c, _ := s.echo(t)
		_ = bounce(c, 1)
		start := time.Now()
		_ = bounce(c, 1)
		if took := time.Since(start); took > 52*time.Millisecond+worldtest.Tolerance() {
			t.Errorf("without load: %v", took)
		}
		h, _ := s.cloud.Host(netip.Addr{})
		_ = h.Serve(80, func(c net.Conn) { _, _ = c.Write(make([]byte, 100<<20)) })
		d, err := s.isp.DialContext(context.Background(), "tcp", netip.AddrPortFrom(h.Addr(), 80).String())
		if err != nil {
			t.Fatal(err)
		}
		_ = d.SetReadDeadline(time.Now().Add(time.Minute))
		done := make(chan int64)
		go func() { n, _ := io.Copy(io.Discard, d); done <- n }()
		time.Sleep(10 * time.Second)
		start = time.Now()
		if err := bounce(c, 1); err != nil {
			t.Errorf("with load: %v", err)
		}
		if took := time.Since(start); took < 300*time.Millisecond || took > 1100*time.Millisecond+worldtest.Tolerance() {
			t.Errorf("with load: %v", took)
		}
		if rate := float64(<-done) / 60; rate < 430_000 || rate > 490_000 {
			t.Errorf("%.0f B/s", rate)
		}
		_ = d.Close()
	})
}
