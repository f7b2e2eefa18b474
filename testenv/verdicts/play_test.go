package verdicts_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/verdicts"
)

// TestEveryCase plays each case once: its world can be built and ends, what is to
// happen happens to somebody, and it is read as often as it should be.
func TestEveryCase(t *testing.T) {
	cases := verdicts.Cases()
	seen := make(map[string]bool)
	for n, c := range cases {
		if seen[c.Truth] {
			t.Errorf("there are two cases %q", c.Truth)
		}
		seen[c.Truth] = true
		if raceDetector && n%8 != 0 {
			continue
		}
		t.Run(c.Truth, func(t *testing.T) {
			t.Parallel()
			r := once(t, job{c: c, seed: 2})
			if r.Void != "" {
				t.Fatalf("it shows nothing: %s", r.Void)
			}
			want := 2
			if c.Rest > 0 {
				want = 3
			}
			if len(r.Readings) != want {
				t.Errorf("%d readings, want %d", len(r.Readings), want)
			}
			if r.Examinations == 0 || r.ProbeBytes == 0 {
				t.Error("nobody was examined")
			}
			t.Logf("%+v", r)
		})
	}
}

// TestCertainCases are those in which no run may be wrong, however it is drawn.
func TestCertainCases(t *testing.T) {
	for _, truth := range []string{"alive", "drop", "reset", "reject", "process dead", "reset, the only endpoint"} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/%d", truth, seed), func(t *testing.T) {
				t.Parallel()
				r := once(t, job{c: find(t, truth), seed: seed})
				for n, reading := range r.Readings {
					if !reading.Right {
						t.Errorf("reading %d is wrong: %s: %s\n%q", n, reading.Label, reading.Why, r.Trail)
					}
				}
				if r.Void != "" {
					t.Errorf("%s, seed %d: void: %s", truth, seed, r.Void)
				}
				if r.FalseDead > 0 {
					t.Errorf("condemned in error: %q", r.Mistakes)
				}
			})
		}
	}
}

// TestOursIsNobodysFault holds that nobody is condemned for what our own network
// has done.
func TestOursIsNobodysFault(t *testing.T) {
	for _, truth := range []string{"our network down", "captive portal"} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/%d", truth, seed), func(t *testing.T) {
				t.Parallel()
				if r := once(t, job{c: find(t, truth), seed: seed}); r.FalseDead > 0 {
					t.Errorf("condemned in error: %q", r.Mistakes)
				}
			})
		}
	}
}

// TestSameSeedSameWorld holds that a seed decides the world, and what is asked
// of it; and, where no two things happen at the same moment, what comes of it.
func TestSameSeedSameWorld(t *testing.T) {
	c := find(t, "drop")
	c.Setting.Light = true
	one, two, other := once(t, job{c: c, seed: 4}), once(t, job{c: c, seed: 4}), once(t, job{c: c, seed: 6})
	if one.Draw != two.Draw || !reflect.DeepEqual(one.Readings, two.Readings) || one.Trail[0] != two.Trail[0] {
		t.Errorf("the same seed:\n%+v\n%+v", one, two)
	}
	if one.Draw.RTT == other.Draw.RTT || one.Trail[0] == other.Trail[0] {
		t.Errorf("another seed has drawn the same: %+v", other)
	}
}
