package memnet_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// storm loses packets, or their ends, by lot, until it is over.
type storm struct {
	mu   sync.Mutex
	rng  *rand.Rand
	loss float64
}

func (s *storm) Inspect(p blocker.Packet, _ time.Time) blocker.Decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rng.Float64() >= s.loss {
		return blocker.Decision{}
	}
	return blocker.Decision{Act: blocker.Discard, Pass: s.rng.IntN(p.Size + 1)}
}

// Whatever is lost in whatever direction, both streams arrive whole and in
// order once the storm is over, and nothing remains to be done.
func TestStreamsSurviveStorms(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				s := &storm{rng: rand.New(rand.NewPCG(seed, 2))}
				latency := time.Duration(rng.IntN(3)) * 20 * time.Millisecond
				client, server, n := pair(t, memnet.Path{Near: latency, Far: latency, Border: s})
				for _, c := range []*memnet.Conn{client, server} {
					if rng.IntN(2) == 0 {
						_ = c.SetRTOMax(time.Second)
						_ = c.SetUserTimeout(time.Hour)
					}
				}
				s.mu.Lock()
				s.loss = rng.Float64()
				s.mu.Unlock()
				time.AfterFunc(time.Duration(rng.IntN(20))*time.Second, func() {
					s.mu.Lock()
					defer s.mu.Unlock()
					s.loss = 0
				})
				var wg sync.WaitGroup
				for _, way := range [][2]*memnet.Conn{{client, server}, {server, client}} {
					sent := make([]byte, rng.IntN(1<<(8+rng.IntN(13))))
					_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(sent)
					step := 1 + rng.IntN(1<<rng.IntN(20))
					pause := time.Duration(rng.IntN(2)) * 5 * time.Millisecond
					wg.Go(func() {
						for rest := sent; len(rest) > 0; {
							k := min(max(step, len(sent)/500), len(rest))
							if _, err := way[0].Write(rest[:k]); err != nil {
								t.Error(err)
								return
							}
							rest = rest[k:]
							time.Sleep(pause)
						}
						_ = way[0].CloseWrite()
					})
					wg.Go(func() {
						got, err := io.ReadAll(way[1])
						if err != nil || !bytes.Equal(got, sent) {
							t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
						}
					})
				}
				wg.Wait()
				time.Sleep(5 * time.Minute)
				for _, c := range []*memnet.Conn{client, server} {
					if f, err := c.Flow(); err != nil || f.Unacked != 0 || f.Acked != f.Sent {
						t.Errorf("%+v, %v", f, err)
					}
					_ = c.Close()
				}
				if k := n.Lookup(home).Connections() + n.Lookup(cloud).Connections(); k != 0 {
					t.Errorf("%d connections left", k)
				}
			})
		})
	}
}

// weather changes what two lines do.
func weather(rng *rand.Rand, lines ...*memnet.Line) {
	loss := func() memnet.Loss {
		switch rng.IntN(4) {
		case 0:
			return memnet.Loss{Share: rng.Float64()}
		case 1:
			return memnet.Bursts(rng.Float64()*0.9+0.01, 1+9*rng.Float64())
		case 2:
			return memnet.Loss{Share: 0.01, BadShare: 1, GoodTime: time.Second, BadTime: 300 * time.Millisecond}
		}
		return memnet.Loss{}
	}
	queue := func() memnet.Queue {
		if rng.IntN(3) > 0 {
			return memnet.Queue{}
		}
		return memnet.Queue{Rate: 20_000 + 1e6*rng.Float64(), Buffer: rng.IntN(100_000)}
	}
	for _, l := range lines {
		l.Lose(loss(), loss())
		l.Narrow(queue(), queue())
		l.Delay(time.Duration(rng.IntN(2)*rng.IntN(800)) * time.Millisecond)
		l.Jitter(time.Duration(rng.IntN(2)*rng.IntN(100)) * time.Millisecond)
	}
}

// The same on lines that lose and delay segments and have bottlenecks, all of
// which changes while the streams run, with a storm at the border in every other
// case.
func TestStreamsSurviveWeather(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 3))
				s := &storm{rng: rand.New(rand.NewPCG(seed, 4))}
				latency := time.Duration(rng.IntN(3)) * 20 * time.Millisecond
				near, far := &memnet.Line{Seed: seed}, &memnet.Line{Seed: ^seed}
				client, server, n := pair(t, memnet.Path{
					Near: latency, Far: latency, Border: s, NearLine: near, FarLine: far, Seed: seed,
				})
				s.mu.Lock()
				if seed%2 == 0 {
					s.loss = rng.Float64() / 4
				}
				s.mu.Unlock()
				until := time.Now().Add(time.Duration(rng.IntN(20)) * time.Second)
				var wg sync.WaitGroup
				wg.Go(func() {
					for time.Now().Before(until) {
						weather(rng, near, far)
						time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
					}
					s.mu.Lock()
					s.loss = 0
					s.mu.Unlock()
					for _, l := range []*memnet.Line{near, far} {
						l.Lose(memnet.Loss{}, memnet.Loss{})
						l.Narrow(memnet.Queue{}, memnet.Queue{})
					}
				})
				sizes := rand.New(rand.NewPCG(seed, 5))
				for _, way := range [][2]*memnet.Conn{{client, server}, {server, client}} {
					sent := make([]byte, sizes.IntN(1<<(8+sizes.IntN(13))))
					_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(sent)
					step := 1 + sizes.IntN(1<<sizes.IntN(20))
					pause := time.Duration(sizes.IntN(2)) * 5 * time.Millisecond
					wg.Go(func() {
						for rest := sent; len(rest) > 0; {
							k := min(max(step, len(sent)/500), len(rest))
							if _, err := way[0].Write(rest[:k]); err != nil {
								t.Error(err)
								return
							}
							rest = rest[k:]
							time.Sleep(pause)
						}
						_ = way[0].CloseWrite()
					})
					wg.Go(func() {
						got, err := io.ReadAll(way[1])
						if err != nil || !bytes.Equal(got, sent) {
							t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
						}
					})
				}
				wg.Wait()
				time.Sleep(5 * time.Minute)
				for _, c := range []*memnet.Conn{client, server} {
					if f, err := c.Flow(); err != nil || f.Unacked != 0 || f.Acked != f.Sent {
						t.Errorf("%+v, %v", f, err)
					}
					_ = c.Close()
				}
				if k := n.Lookup(home).Connections() + n.Lookup(cloud).Connections(); k != 0 {
					t.Errorf("%d connections left", k)
				}
			})
		})
	}
}
