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
