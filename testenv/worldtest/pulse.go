package worldtest

import (
	"slices"
	"sync"
	"time"
)

// beatEvery is how often the pulse beats.
const beatEvery = 20 * time.Millisecond

// pulse notes when the machine had no time for the tests: a goroutine that wants
// to wake every so often, and wakes late.
var pulse struct {
	mu     sync.Mutex
	stalls []stall // in the order of time
}

// stall is a time in which a goroutine that was due did not run.
type stall struct{ from, to time.Time }

// beat watches the pulse until stop is called.
func beat() (stop func()) {
	quit := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() {
		for {
			due := time.Now().Add(beatEvery)
			select {
			case <-quit:
				return
			case <-time.After(beatEvery):
			}
			if now := time.Now(); now.Sub(due) > time.Millisecond {
				pulse.mu.Lock()
				pulse.stalls = append(pulse.stalls, stall{due, now})
				pulse.mu.Unlock()
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
	return lost(pulse.stalls, from, to)
}

// lost is how much of the time between two times stalls were, which are in order.
func lost(stalls []stall, from, to time.Time) (sum time.Duration) {
	first, _ := slices.BinarySearchFunc(stalls, from, func(s stall, t time.Time) int { return s.to.Compare(t) })
	for _, s := range stalls[first:] {
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
		sum += end.Sub(begin)
	}
	return sum
}

// Took is the time between two times that counts: what was lost left out.
func Took(from, to time.Time) time.Duration { return to.Sub(from) - Lost(from, to) }
