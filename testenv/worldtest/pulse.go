package worldtest

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// beatEvery is how often the pulse beats.
const beatEvery = 20 * time.Millisecond

// pulse notes when the machine had no time for the tests: a goroutine that wants
// to wake every so often, and wakes late, while others had the processors.
var pulse struct {
	mu     sync.Mutex
	stalls stalls
}

// stall is a time in which a goroutine that was due did not run, and how much of it
// the tests could not help.
type stall struct {
	from, to time.Time
	lost     time.Duration
}

// stalls are in the order of time.
type stalls []stall

// maxStalls is how many are remembered: those of twenty minutes without a pause.
const maxStalls = 1 << 16

func (s *stalls) add(n stall) {
	if len(*s) >= maxStalls {
		*s = append((*s)[:0], (*s)[maxStalls/2:]...)
	}
	*s = append(*s, n)
}

// excused is what of a delay counts as lost if the tests themselves have used so
// much processor time since the beat before: who is late for his own work has no
// excuse.
func excused(late, used time.Duration, processors int) time.Duration {
	return max(0, late-used/time.Duration(processors))
}

// beat watches the pulse until stop is called.
func beat() (stop func()) {
	quit := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() {
		for before := used(); ; before = used() {
			due := time.Now().Add(beatEvery)
			select {
			case <-quit:
				return
			case <-time.After(beatEvery):
			}
			now := time.Now()
			if late := now.Sub(due); late > time.Millisecond {
				if lost := excused(late, used()-before, runtime.GOMAXPROCS(0)); lost > 0 {
					pulse.mu.Lock()
					pulse.stalls.add(stall{due, now, lost})
					pulse.mu.Unlock()
				}
			}
		}
	})
	return func() {
		close(quit)
		beating.Wait()
	}
}

// Lost is for how long the machine had no time for the tests between two times,
// and so what a measured duration is to be shortened by. It is zero where time is
// virtual.
func Lost(from, to time.Time) time.Duration {
	if !RealTime() {
		return 0
	}
	pulse.mu.Lock()
	defer pulse.mu.Unlock()
	return pulse.stalls.between(from, to)
}

// between is what was lost between two times; of a stall that is partly there, the
// same part.
func (s stalls) between(from, to time.Time) (lost time.Duration) {
	first, _ := slices.BinarySearchFunc(s, from, func(s stall, t time.Time) int { return s.to.Compare(t) })
	for _, s := range s[first:] {
		if !s.from.Before(to) {
			break
		}
		begin, end := s.from, s.to
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		lost += time.Duration(float64(s.lost) * float64(end.Sub(begin)) / float64(s.to.Sub(s.from)))
	}
	return lost
}

// Took is the time between two times that counts: what was lost left out.
func Took(from, to time.Time) time.Duration { return to.Sub(from) - Lost(from, to) }
