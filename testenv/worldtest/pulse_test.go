package worldtest

import (
	"slices"
	"testing"
	"time"
)

func TestLost(t *testing.T) {
	began := time.Unix(1_800_000_000, 0)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	stalls := []stall{{at(100), at(150)}, {at(200), at(1200)}, {at(1300), at(1310)}}
	for _, test := range []struct{ from, to, want int }{
		{0, 50, 0},
		{0, 100, 0},
		{0, 120, 20},
		{120, 140, 20},
		{150, 200, 0},
		{0, 2000, 1060},
		{700, 1305, 505},
		{1310, 2000, 0},
	} {
		if got := lost(slices.Clone(stalls), at(test.from), at(test.to)); got != time.Duration(test.want)*time.Millisecond {
			t.Errorf("from %d to %d ms: %v, want %d ms", test.from, test.to, got, test.want)
		}
	}
}
