package memnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// within reports whether a share of n trials is what the probability p makes
// likely: five standard deviations are exceeded once in a million.
func within(share, p float64, n int) bool {
	return math.Abs(share-p) <= 5*math.Sqrt(p*(1-p)/float64(n))
}

// A dial takes as long as the SYN schedule says for the number of SYNs and
// SYN-ACKs that were lost before one of each got through, which is geometric.
func TestDialsUnderLoss(t *testing.T) {
	const p, trials = 0.2, 4000
	synctest.Test(t, func(t *testing.T) {
		line := &memnet.Line{Seed: 1}
		line.Lose(memnet.Loss{Share: p}, memnet.Loss{Share: p})
		seed := uint64(0)
		n := memnet.New(func(*memnet.Host, netip.AddrPort, netip.AddrPort) memnet.Path {
			seed++
			return memnet.Path{Near: 10 * ms, Far: 15 * ms, NearLine: line, Seed: seed}
		})
		defer func() { _ = n.Close() }()
		h, _ := n.Host(home)
		s, _ := n.Host(cloud)
		if _, err := s.Listen(port.Port()); err != nil {
			t.Fatal(err)
		}
		took := make(map[time.Duration]int)
		for range trials {
			start := time.Now()
			if c, err := h.Dial(context.Background(), port); err == nil {
				took[time.Since(start)-50*ms]++
				_ = c.SetLinger(0)
				_ = c.Close()
			}
		}
		q, left := 1-(1-p)*(1-p), 1.0
		for k, at := range seconds(0, 1, 2, 3, 4, 5, 7) {
			want := left * (1 - q)
			left *= q
			if got := float64(took[at]) / trials; !within(got, want, trials) {
				t.Errorf("after %d losses, %v late: %.4f of the dials, want %.4f", k, at, got, want)
			}
		}
	})
}

// rate is how fast a long download goes, in bits per second.
func rate(t *testing.T, path memnet.Path, bytes int) float64 {
	t.Helper()
	client, server, n := pair(t, path)
	defer func() { _ = n.Close() }()
	_ = server.SetRTOMax(time.Second)
	_ = server.SetUserTimeout(time.Hour)
	start := time.Now()
	go func() { _, _ = server.Write(make([]byte, bytes)) }()
	if k, err := io.CopyN(io.Discard, client, int64(bytes)); err != nil {
		t.Errorf("%d bytes, %v", k, err)
	}
	return float64(bytes) * 8 / time.Since(start).Seconds()
}

// A long transfer goes at the rate of Mathis et al. (1997): within 10 % where
// two losses in one round trip are rare, and never faster.
func TestRateUnderLoss(t *testing.T) {
	for _, test := range []struct{ p, low float64 }{
		{0.001, 0.9}, {0.003, 0.9}, {0.01, 0.9}, {0.02, 0.9}, {0.05, 0.8}, {0.1, 0.7}, {0.2, 0.4},
	} {
		for _, rtt := range []time.Duration{20 * ms, 80 * ms, 300 * ms} {
			t.Run(fmt.Sprintf("%v %v", test.p, rtt), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					line := &memnet.Line{Seed: 1}
					line.Lose(memnet.Loss{}, memnet.Loss{Share: test.p})
					want := 1448 * 8 / (rtt.Seconds() * math.Sqrt(2*test.p/3))
					// 600 round trips make some 20 losses at the least.
					size := int(want * rtt.Seconds() * 600 / 8)
					got := rate(t, memnet.Path{Near: rtt / 4, Far: rtt / 4, NearLine: line, Seed: uint64(rtt) + 1}, size)
					if got < test.low*want || got > 1.02*want {
						t.Errorf("%.0f kbit/s, want %.0f: %.2f", got/1e3, want/1e3, got/want)
					}
					t.Logf("%.3f of the formula", got/want)
				})
			})
		}
	}
}

// Between bursts in time a transfer is as fast as the good state allows; it
// loses those, and what its timer needs to notice that they are over.
func TestRateBetweenBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const good, bad, p, rtt = 4 * time.Second, 500 * ms, 0.01, 50 * ms
		line := &memnet.Line{Seed: 1}
		line.Lose(memnet.Loss{}, memnet.Loss{Share: p, BadShare: 1, GoodTime: good, BadTime: bad})
		want := 1448 * 8 / (rtt.Seconds() * math.Sqrt(2*p/3)) * good.Seconds() / (good + bad).Seconds()
		got := rate(t, memnet.Path{Near: rtt / 4, Far: rtt / 4, NearLine: line, Seed: 1}, int(want/8*200))
		if got < 0.75*want || got > 1.02*want {
			t.Errorf("%.0f kbit/s, want %.0f: %.2f", got/1e3, want/1e3, got/want)
		}
		t.Logf("%.3f of the formula", got/want)
	})
}

// The closed forms of Gilbert's and Elliott's models: mean loss, and the mean
// length of a run of losses, which ends with the bad state or by luck.
func TestBurstsInSegments(t *testing.T) {
	const segments = 1_000_000
	for _, test := range []struct {
		loss         memnet.Loss
		mean, length float64
	}{
		{memnet.Loss{Share: 0.05}, 0.05, 1 / 0.95},
		{memnet.Loss{Share: 0.3}, 0.3, 1 / 0.7},
		{memnet.Bursts(0.01, 2), 0.01, 2},
		{memnet.Bursts(0.05, 10), 0.05, 10},
		{memnet.Bursts(0.2, 50), 0.2, 50},
		// A run of losses goes on with probability .5*.9: 1/(1-.45), but for
		// what the good state's losses join.
		{memnet.Loss{BadShare: 0.5, BadRun: 10, GoodRun: 90}, 0.05, 1 / 0.55},
		{memnet.Loss{Share: 0.01, BadShare: 0.6, BadRun: 5, GoodRun: 195}, 0.02475, 0},
	} {
		t.Run(fmt.Sprintf("%+v", test.loss), func(t *testing.T) {
			if m := test.loss.Mean(); math.Abs(m-test.mean) > 1e-9 {
				t.Errorf("the mean is said to be %v", m)
			}
			fate := memnet.Fate(test.loss, 11)
			lost, runs, before := 0, 0, false
			for sent, train := 0, int64(1); sent < segments; train = train%61 + 1 {
				for _, now := range fate(train) {
					if now {
						lost++
						if !before {
							runs++
						}
					}
					before = now
					sent++
				}
			}
			share, length := float64(lost)/segments, float64(lost)/float64(runs)
			// Four standard deviations, as runs go, of the mean of each.
			if off := 4 * math.Sqrt2 / math.Sqrt(float64(runs)); math.Abs(share/test.mean-1) > off {
				t.Errorf("share %.4f, want %.4f", share, test.mean)
			} else if test.length > 0 && math.Abs(length/test.length-1) > off {
				t.Errorf("runs of %.3f, want %.3f", length, test.length)
			}
		})
	}
}

// Bursts in time are the line's: two hosts that dial at the same moments share
// them. With a look every fiftieth of a second they are of the mean length and
// the share that was asked for.
func TestBurstsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const good, bad, step, steps = 800 * ms, 200 * ms, 20 * ms, 15_000
		line := &memnet.Line{Seed: 3}
		line.Lose(memnet.Loss{BadShare: 1, GoodTime: good, BadTime: bad}, memnet.Loss{})
		n := memnet.New(func(*memnet.Host, netip.AddrPort, netip.AddrPort) memnet.Path {
			return memnet.Path{NearLine: line}
		})
		defer func() { _ = n.Close() }()
		_, _ = n.Host(cloud)
		one, _ := n.Host(home)
		two, _ := n.Host(home.Next())
		silent := func(h *memnet.Host) bool {
			ctx, cancel := context.WithTimeout(context.Background(), ms)
			defer cancel()
			_, err := h.Dial(ctx, port) // refused at once, or silence
			return errors.Is(err, context.DeadlineExceeded)
		}
		start := time.Now()
		lost, bursts, before, apart := 0, 0, false, 0
		for k := range steps {
			time.Sleep(time.Until(start.Add(time.Duration(k) * step)))
			var other bool
			done := make(chan struct{})
			go func() { other = silent(two); close(done) }()
			now := silent(one)
			<-done
			if now != other {
				apart++
			}
			if now {
				lost++
				if !before {
					bursts++
				}
			}
			before = now
		}
		// A burst shorter than a step may go unseen, and so may a pause: of
		// exponential stays that joins or hides the same part.
		share := float64(lost) / steps
		between := float64(steps) * step.Seconds() / float64(bursts)
		if apart > 0 {
			t.Errorf("%d times one host was heard and the other was not", apart)
		}
		want := math.Exp(-step.Seconds() / bad.Seconds()) // a burst that is seen lives on
		length := float64(lost) / float64(bursts) * step.Seconds()
		seen := step.Seconds() / (1 - (want + (1-want)*(1-math.Exp(-step.Seconds()/good.Seconds()))))
		if math.Abs(share-0.2) > 0.03 || math.Abs(length/seen-1) > 0.15 {
			t.Errorf("%.3f lost, bursts of %.0f ms (want %.0f) every %.2f s", share, length*1e3, seen*1e3, between)
		}
	})
}
