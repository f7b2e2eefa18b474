package memnet_test

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// narrow is a network in which all that one host dials shares a line. What is
// sent to port 7 comes back; port 9 sends without end.
func narrow(t *testing.T, line *memnet.Line) *memnet.Host {
	t.Helper()
	n := memnet.New(func(*memnet.Host, netip.AddrPort, netip.AddrPort) memnet.Path {
		return memnet.Path{Near: 10 * ms, Far: 15 * ms, NearLine: line}
	})
	t.Cleanup(func() { _ = n.Close() })
	h, _ := n.Host(home)
	s, _ := n.Host(cloud)
	for p, serve := range map[uint16]func(c *memnet.Conn){
		7: func(c *memnet.Conn) { _, _ = io.Copy(c, c) },
		9: func(c *memnet.Conn) {
			for {
				if _, err := c.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
	} {
		l, err := s.Listen(p)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() { serve(c.(*memnet.Conn)); _ = c.Close() }()
			}
		}()
	}
	return h
}

func dialTo(t *testing.T, h *memnet.Host, port uint16) *memnet.Conn {
	t.Helper()
	c, err := h.Dial(context.Background(), netip.AddrPortFrom(cloud, port))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ping is how long an echo of some bytes takes.
func ping(t *testing.T, c *memnet.Conn, size int) time.Duration {
	t.Helper()
	start := time.Now()
	_, _ = c.Write(make([]byte, size))
	if _, err := io.ReadFull(c, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	return time.Since(start)
}

func near(a, b, by time.Duration) bool { return a-b <= by && b-a <= by }

// Who comes behind others waits for as long as their bytes take.
func TestQueueDelay(t *testing.T) {
	const rate = 150_000
	for segments := 1; segments <= 10; segments++ {
		synctest.Test(t, func(t *testing.T) {
			line := new(memnet.Line)
			h := narrow(t, line)
			one, two := dialTo(t, h, 7), dialTo(t, h, 7)
			line.Narrow(memnet.Queue{Rate: rate, Buffer: 1 << 20}, memnet.Queue{})
			_, _ = one.Write(make([]byte, segments*1448))
			bytes := segments*1500 + 1 + 52
			want := 50*ms + time.Duration(float64(bytes)/rate*float64(time.Second))
			if took := ping(t, two, 1); !near(took, want, time.Microsecond) {
				t.Errorf("behind %d segments it took %v, want %v", segments, took, want)
			}
		})
	}
}

// A long download fills the link, whatever the buffer, and the buffer: whoever
// shares the line waits, but never for more than the buffer holds.
func TestBufferbloat(t *testing.T) {
	for _, test := range []struct {
		rate   float64
		buffer int
		flows  int
	}{
		{128_000, 128_000, 1}, {128_000, 256_000, 3}, {1e6, 50_000, 1}, {1e6, 500_000, 2}, {20_000, 20_000, 1},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				line := new(memnet.Line)
				h := narrow(t, line)
				line.Narrow(memnet.Queue{}, memnet.Queue{Rate: test.rate, Buffer: test.buffer})
				p := dialTo(t, h, 7)
				if took := ping(t, p, 1); took > 60*ms {
					t.Errorf("without load it took %v", took)
				}
				var (
					wg   sync.WaitGroup
					mu   sync.Mutex
					got  int64
					most = time.Duration(float64(test.buffer) / test.rate * float64(time.Second))
				)
				const long = 2 * time.Minute
				start := time.Now()
				for range test.flows {
					c := dialTo(t, h, 9)
					_ = c.SetReadDeadline(start.Add(long))
					wg.Go(func() {
						n, _ := io.Copy(io.Discard, c)
						mu.Lock()
						defer mu.Unlock()
						got += n
						_ = c.Close()
					})
				}
				time.Sleep(30 * time.Second)
				var longest, sum time.Duration
				pings := time.Duration(0)
				for time.Since(start) < long-5*time.Second {
					pings++
					took := ping(t, p, 1)
					longest, sum = max(longest, took), sum+took
					time.Sleep(time.Second)
				}
				wg.Wait()
				goodput := float64(got) / long.Seconds()
				if full := test.rate * 1448 / 1500; goodput < 0.9*full || goodput > 1.01*full {
					t.Errorf("%.0f B/s of payload, want %.0f", goodput, full)
				}
				t.Logf("goodput %.0f, ping %v in the mean, %v at most; a full buffer takes %v; lost %d",
					goodput, sum/pings, longest, most, line.Lost())
				if mean := sum / pings; mean < 50*ms+most/3 {
					t.Errorf("with load it took %v in the mean: want a third of %v more than 50 ms", mean, most)
				}
				if longest > 50*ms+most+20*ms {
					t.Errorf("with load it took %v: a full buffer takes %v", longest, most)
				}
				if line.Lost() == 0 {
					t.Error("the buffer has never overflowed")
				}
			})
		})
	}
}
