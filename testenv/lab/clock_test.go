package lab_test

import (
	"math"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/lab"
)

func day(d, hour int) time.Time { return time.Date(2018, time.April, d, hour, 0, 0, 0, time.UTC) }

func TestClock(t *testing.T) {
	c := lab.Clock{{0, day(16, 0)}, {.5, day(17, 0)}, {1, day(27, 0)}}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
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

func TestClockValidate(t *testing.T) {
	for name, c := range map[string]lab.Clock{
		"empty":     nil,
		"one frame": {{0, day(16, 0)}},
		"late":      {{.1, day(16, 0)}, {1, day(17, 0)}},
		"open":      {{0, day(16, 0)}, {.9, day(17, 0)}},
		"backwards": {{0, day(16, 0)}, {.5, day(15, 0)}, {1, day(17, 0)}},
		"standing":  {{0, day(16, 0)}, {.5, day(16, 1)}, {.5, day(16, 2)}, {1, day(17, 0)}},
	} {
		if c.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
