package pool

import (
	"sync/atomic"
	"time"
)

// samples keeps the last 32 durations of one phase. It is safe for concurrent
// use; a reader may see a few new samples beside old ones, which is harmless.
type samples struct {
	next atomic.Uint32
	ring [32]atomic.Int64
}

func (s *samples) add(d time.Duration) {
	i := s.next.Add(1) - 1
	s.ring[i%uint32(len(s.ring))].Store(max(int64(d), 1))
}

// p95 is the 95th percentile: of 32 samples the second largest, of fewer than
// twenty the largest. Zero means that there is none.
func (s *samples) p95() time.Duration {
	var first, second int64
	n := 0
	for i := range s.ring {
		v := s.ring[i].Load()
		if v == 0 {
			break
		}
		n++
		switch {
		case v > first:
			first, second = v, first
		case v > second:
			second = v
		}
	}
	if n < 20 {
		return time.Duration(first)
	}
	return time.Duration(second)
}

// least is the smallest sample: the round-trip time without queues and
// retransmissions. Zero means that there is none.
func (s *samples) least() time.Duration {
	var least int64
	for i := range s.ring {
		v := s.ring[i].Load()
		if v == 0 {
			break
		}
		if least == 0 || v < least {
			least = v
		}
	}
	return time.Duration(least)
}
