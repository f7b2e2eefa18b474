package worldtest

import (
	"testing"
	"time"
)

// Who had the processors is not excused for being late.
func TestExcused(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct{ late, used, want time.Duration }{
		{30 * ms, 0, 30 * ms},
		{30 * ms, 100 * ms, 0}, // both, for the beat and the delay
		{30 * ms, 20 * ms, 20 * ms},
	} {
		if got := excused(c.late, c.used, 2); got != c.want {
			t.Errorf("%v late, %v used: %v lost, want %v", c.late, c.used, got, c.want)
		}
	}
}

func TestStalls(t *testing.T) {
	begin := time.Unix(1000, 0)
	at := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Second) }
	var s stalls
	const count = 2 * maxStalls
	for n := range count {
		s.add(stall{at(10 * n), at(10*n + 4), 2 * time.Second})
	}
	if len(s) > maxStalls {
		t.Errorf("%d stalls are remembered", len(s))
	}
	last := 10 * (count - 1)
	for _, c := range []struct {
		from, to int
		want     time.Duration
	}{
		{last - 10, last + 10, 4 * time.Second},
		{last + 1, last + 2, time.Second / 2},
		{last + 5, last + 9, 0},
		{0, 10, 0}, // forgotten
	} {
		if got := s.between(at(c.from), at(c.to)); got != c.want {
			t.Errorf("from %d to %d: %v, want %v", c.from, c.to, got, c.want)
		}
	}
}
