package relay

import (
	"testing"
	"time"
)

func TestLifetime(t *testing.T) {
	now := time.Unix(1e9, 0)
	const rtt = 100 * time.Millisecond
	for _, c := range []struct {
		name              string
		ages              []time.Duration
		later             time.Duration
		shortest, longest time.Duration // that are drawn
	}{
		{"nothing known", nil, 0, 90 * time.Second, 2 * time.Minute},
		{"a limit", []time.Duration{30 * time.Second}, 0, 20100 * time.Millisecond, 26800 * time.Millisecond},
		{"the shortest counts", []time.Duration{40 * time.Second, 30 * time.Second, 35 * time.Second}, 0, 20100 * time.Millisecond, 26800 * time.Millisecond},
		{"a long one", []time.Duration{time.Hour}, 0, 90 * time.Second, 2 * time.Minute},
		{"forgotten", []time.Duration{30 * time.Second}, 11 * time.Minute, 90 * time.Second, 2 * time.Minute},
		{"too short to count", []time.Duration{time.Second}, 0, 90 * time.Second, 2 * time.Minute},
	} {
		var l lifetime
		for _, age := range c.ages {
			if known := l.learn(age, now); known != (age >= shortestLimit) {
				t.Errorf("%s: learned %v: %v", c.name, age, known)
			}
		}
		longest, shortest := l.draw(now.Add(c.later), rtt, 0), l.draw(now.Add(c.later), rtt, 1)
		if longest != c.longest || shortest != c.shortest {
			t.Errorf("%s: lives of %v to %v, want %v to %v", c.name, shortest, longest, c.shortest, c.longest)
		}
	}
}

// A connection is given up long enough before the limit for a request to arrive.
func TestLifetimeLeavesRoomForARequest(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, limit := range []time.Duration{2 * time.Second, 4 * time.Second, 10 * time.Second, 30 * time.Second} {
		for _, rtt := range []time.Duration{0, 10 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
			var l lifetime
			l.learn(limit, now)
			if life := l.draw(now, rtt, 0); life+rtt >= limit {
				t.Errorf("a life of %v at a limit of %v and a round trip of %v", life, limit, rtt)
			}
		}
	}
}
