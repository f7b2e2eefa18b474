package policy

import (
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"
)

// What is kept of an endpoint that was used takes a bounded, small place.
func TestPastIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(past{}); n > 128 {
		t.Errorf("%d bytes", n)
	}
}

// week is an almanac of something that is lost in the given spans, each from a
// start and for a while, until the end; Monday begins at 0.
func week(zone *time.Location, end time.Duration, v Verdict, lost ...[2]time.Duration) *almanac {
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, zone)
	a := &almanac{trouble: v}
	last := time.Duration(0)
	for _, l := range lost {
		from, to := min(l[0], end), min(l[0]+l[1], end)
		a.span(monday.Add(last), monday.Add(from), false)
		a.span(monday.Add(from), monday.Add(to), true)
		a.turn(monday.Add(from), true)
		if to < end {
			a.turn(monday.Add(to), false)
		}
		last = to
	}
	a.span(monday.Add(last), monday.Add(end), false)
	return a
}

// daily is the same span of each of the days that are named.
func daily(from, span time.Duration, days ...int) (lost [][2]time.Duration) {
	for _, d := range days {
		lost = append(lost, [2]time.Duration{time.Duration(d)*hours*time.Hour + from, span})
	}
	return lost
}

func TestSchedule(t *testing.T) {
	const h, m = time.Hour, time.Minute
	moscow := time.FixedZone("MSK", 3*60*60)
	for _, tt := range []struct {
		name string
		a    *almanac
		want string
	}{
		{"by day", week(moscow, 7*24*h, Frozen, daily(7*h, 16*h, 0, 1, 2, 3, 4, 5, 6)...), "frozen 07:00-23:00 on 7 of the last 7 days"},
		{"one day off", week(moscow, 6*24*h, Blocked, daily(7*h, 16*h, 0, 1, 2, 4, 5)...), "blocked 07:00-23:00 on 5 of the last 6 days"},
		{"on working days", week(time.UTC, 7*24*h, Blocked, daily(9*h, 8*h, 0, 1, 2, 3, 4)...), "blocked 09:00-17:00 on 5 of the last 7 days"},
		{"noticed late", week(moscow, 5*24*h, Frozen, daily(7*h+3*m, 16*h+9*m, 0, 1, 2, 3, 4)...), "frozen 07:00-23:00 on 5 of the last 5 days"},
		{"in the middle of an hour", week(moscow, 5*24*h, Frozen, daily(7*h+30*m, 12*h, 0, 1, 2, 3, 4)...), "frozen 07:30-19:30 on 5 of the last 5 days"},
		{"over midnight", week(moscow, 6*24*h, Throttled, daily(22*h, 5*h, 0, 1, 2, 3, 4)...), "throttled 22:00-03:00 on 5 of the last 6 days"},
		{"by whom, nobody knows", week(moscow, 4*24*h, Unknown, daily(20*h, 3*h, 0, 1, 2, 3)...), "unreachable 20:00-23:00 on 4 of the last 4 days"},
		{"today not yet", week(moscow, 5*24*h+9*h, Frozen, daily(7*h, 16*h, 0, 1, 2, 3, 4, 5)...), "frozen 07:00-23:00 on 5 of the last 5 days"},
		{"not on the minute", week(moscow, 7*24*h, Frozen, jittered()...), "frozen 06:45-22:45 on 7 of the last 7 days"},
		{"two days", week(moscow, 2*24*h, Frozen, daily(7*h, 16*h, 0, 1)...), ""},
		{"three of seven days", week(moscow, 7*24*h, Frozen, daily(7*h, 16*h, 0, 2, 5)...), ""},
		{"always", week(moscow, 7*24*h, Blocked, [2]time.Duration{h, 7 * 24 * h}), ""},
		{"never", week(moscow, 7*24*h, Unknown), ""},
		{"twice a day", week(moscow, 7*24*h, Frozen, twice()...), ""},
		{"later each day", week(moscow, 7*24*h, Frozen, wandering()...), ""},
		{"nothing known", new(almanac), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, ok := tt.a.schedule()
			if ok != (tt.want != "") || ok && s.String() != tt.want {
				t.Errorf("want %q, got %q, %t", tt.want, s, ok)
			}
		})
	}
}

// jittered is 07:00 to 23:00, give or take 40 minutes; the hours told are those of the last four days.
func jittered() (lost [][2]time.Duration) {
	for d, off := range []time.Duration{0, 25, -40, 10, -15, 40, -5} {
		lost = append(lost, daily(7*time.Hour+off*time.Minute, 16*time.Hour-2*off*time.Minute, d)...)
	}
	return lost
}

func twice() (lost [][2]time.Duration) {
	for d := range 7 {
		lost = append(lost, daily(6*time.Hour, 4*time.Hour, d)...)
		lost = append(lost, daily(16*time.Hour, 4*time.Hour, d)...)
	}
	return lost
}

func wandering() (lost [][2]time.Duration) {
	for d := range 6 {
		lost = append(lost, daily(time.Duration(4*d)*time.Hour, 6*time.Hour, d)...)
	}
	return lost
}

// A week is all that is remembered, whatever comes, and in whatever order.
func TestAlmanacForgets(t *testing.T) {
	a := week(time.UTC, 7*hours*time.Hour, Frozen, daily(7*time.Hour, 16*time.Hour, 0, 1, 2, 3, 4, 5, 6)...)
	next := time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC)
	a.span(next.AddDate(-1, 0, 0), next.AddDate(-1, 0, 7), true) // a clock that was wrong
	if s, ok := a.schedule(); !ok {
		t.Errorf("what is long past has changed it: %v", s)
	}
	a.span(next, next.AddDate(0, 0, 5), false)
	if s, ok := a.schedule(); ok {
		t.Errorf("five days without, and still %q", s)
	}
	a.span(next.AddDate(0, 1, 0), next.AddDate(0, 1, 1), false)
	for n, d := range a.days {
		if d.lost != 0 {
			t.Errorf("day %d: %x", n, d.lost)
		}
	}
}

// Of what comes and goes at random hardly anything seems to have a schedule,
// after whatever number of days.
func TestNoScheduleByChance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	const worlds = 4000
	for _, days := range []int{3, 4, 5, 7} {
		seen := 0
		for range worlds {
			alive, lost := 2+22*r.Float64(), 2+22*r.Float64() // mean hours
			a := new(almanac)
			end := begin.AddDate(0, 0, days)
			down := r.IntN(2) == 0
			for at := begin; at.Before(end); down = !down {
				mean := alive
				if down {
					mean = lost
				}
				next := at.Add(time.Duration(r.ExpFloat64() * mean * float64(time.Hour)))
				if next.After(end) {
					next = end
				}
				a.span(at, next, down)
				a.turn(next, !down)
				at = next
			}
			if _, ok := a.schedule(); ok {
				seen++
			}
		}
		t.Logf("after %d days: %.2f %%", days, 100*float64(seen)/worlds)
		if seen > worlds/1000 {
			t.Errorf("after %d days, %d of %d", days, seen, worlds)
		}
	}
}
