package scenario_test

import (
	"math"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

func day(d, hour int) time.Time { return time.Date(2018, time.April, d, hour, 0, 0, 0, time.UTC) }

func TestClock(t *testing.T) {
	s := &scenario.Scenario{Begins: day(16, 0), Lasts: 11 * 24 * time.Hour, Clock: scenario.Clock{{Date: day(17, 0), Share: .5}}}
	c := s.Timeline()
	for _, at := range []struct {
		share float64
		date  time.Time
	}{{0, day(16, 0)}, {.25, day(16, 12)}, {.5, day(17, 0)}, {.75, day(22, 0)}, {1, day(27, 0)}} {
		if d := c.Date(at.share); !d.Equal(at.date) {
			t.Errorf("at %v the clock shows %v, want %v", at.share, d, at.date)
		}
		if s := c.Share(at.date); math.Abs(s-at.share) > 1e-9 {
			t.Errorf("%v comes at %v, want %v", at.date, s, at.share)
		}
	}
	if !c.Date(-1).Equal(day(16, 0)) || !c.Date(2).Equal(day(27, 0)) || c.Share(day(1, 0)) != 0 || c.Share(day(30, 0)) != 1 {
		t.Error("the clock does not stand still beyond its ends")
	}
}
