package relay

import (
	"testing"
	"time"
)

func TestDemand(t *testing.T) {
	start := time.Unix(1e9, 0)
	for _, c := range []struct {
		name     string
		requests int
		every    time.Duration
		after    time.Duration
		most     int
		want     int
	}{
		{"none", 0, 0, 0, 2, 0},
		{"one", 1, 0, 0, 2, 1},
		{"one, nearly a minute ago", 1, 0, 59 * time.Second, 2, 1},
		{"one, more than a minute ago", 1, 0, 61 * time.Second, 2, 0},
		{"two", 2, 0, 0, 2, 2},
		{"two, half a minute ago", 2, 0, 30 * time.Second, 2, 1},
		{"many", 1000, time.Millisecond, 0, 2, 2},
		{"many of which more are kept", 1000, time.Millisecond, 0, 5, 5},
		{"many, not two minutes ago", 1000, time.Millisecond, 100 * time.Second, 2, 1},
		{"many, two minutes ago", 1000, time.Millisecond, 2 * time.Minute, 2, 0},
		{"one a minute", 10, time.Minute, 0, 2, 1},
	} {
		var d demand
		now := start
		for n := range c.requests {
			if n > 0 {
				now = now.Add(c.every)
			}
			d.add(now, c.most)
		}
		if n := d.want(now.Add(c.after), c.most); n != c.want {
			t.Errorf("%s: want %d, got %d", c.name, c.want, n)
		}
	}
}
