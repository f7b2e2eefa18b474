package policy

import (
	"fmt"
	"math/bits"
	"slices"
	"time"
)

const (
	almanacDays    = 7
	almanacChanges = 8
	hours          = 24
	dayMinutes     = hours * 60

	// hourShare is how much of an hour counts: less than a third of one is the
	// time that it takes to notice a change.
	hourShare = 20 * time.Minute
)

// almanac is at which hours of the last week something was alive, and at which
// it was lost, a bit for each hour of each day; and when it last changed. Days
// and hours are those of the location of the times that it is given. It takes
// 80 bytes, and what is older than a week is forgotten.
type almanac struct {
	days    [almanacDays]almanacDay // by number, modulo the length
	today   int32                   // the latest of them, counted from 1970
	changes [almanacChanges]change
	next    uint8   // where the next change goes
	trouble Verdict // the latest
}

// almanacDay has bit h set for hour h. An hour can be of both kinds.
type almanacDay struct{ lost, alive uint32 }

// change is the minute of a day when something was lost or came back, with bits
// that say which of the two and that there is one.
type change uint16

const (
	changeLost change = 1 << 14
	changeBack change = 1 << 15
	changeTime change = 1<<14 - 1
)

// wallClock is what a clock on the wall shows, in seconds since 1970.
func wallClock(t time.Time) int64 {
	_, offset := t.Zone()
	return t.Unix() + int64(offset)
}

// floorDiv is a/b, rounded down.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// open makes room for a day, forgets those that are a week older, and says
// whether it is none of these itself.
func (a *almanac) open(day int32) bool {
	if a.today == 0 || day-a.today >= almanacDays {
		clear(a.days[:])
		a.today = day
	}
	for a.today < day {
		a.today++
		*a.day(a.today) = almanacDay{}
	}
	return a.today-day < almanacDays
}

func (a *almanac) day(n int32) *almanacDay {
	return &a.days[((n%almanacDays)+almanacDays)%almanacDays]
}

// from is the 24 hours from an hour of a day on, each in its usual place.
func (a *almanac) from(day int32, hour int) almanacDay {
	early := uint32(1)<<hour - 1
	d := *a.day(day)
	d.lost, d.alive = d.lost&^early, d.alive&^early
	if day < a.today {
		next := a.day(day + 1)
		d.lost, d.alive = d.lost|next.lost&early, d.alive|next.alive&early
	}
	return d
}

// span notes that all was well from one time to another, or that it was lost.
func (a *almanac) span(from, to time.Time, lost bool) {
	const hour = int64(time.Hour / time.Second)
	begin, end := wallClock(from), wallClock(to)
	begin = max(begin, end-almanacDays*hours*hour)
	for h := floorDiv(begin, hour); h*hour < end; h++ {
		if min(end, (h+1)*hour)-max(begin, h*hour) < int64(hourShare/time.Second) {
			continue
		}
		day := int32(floorDiv(h, hours))
		if !a.open(day) {
			continue
		}
		bit := uint32(1) << (h - int64(day)*hours)
		if d := a.day(day); lost {
			d.lost |= bit
		} else {
			d.alive |= bit
		}
	}
}

// turn notes a change, for the worse or for the better.
func (a *almanac) turn(at time.Time, lost bool) {
	kind := changeBack
	if lost {
		kind = changeLost
	}
	day := int64(dayMinutes * 60)
	wall := wallClock(at)
	a.changes[a.next] = kind | change((wall-floorDiv(wall, day)*day)/60)
	a.next = (a.next + 1) % almanacChanges
}

// schedule is a part of the day in which something is lost again and again.
type schedule struct {
	from, to int // minutes of the day; to may be before from
	on, of   int // days that keep to it, and days of which enough is known
	trouble  Verdict
}

// What it takes to speak of a schedule.
const (
	scheduleLead  = 3      // so many more days keep to it than do not
	scheduleHours = 2      // so many hours belong to it, and as many do not
	scheduleGaps  = 4      // at most so many are of neither kind: two at each end
	scheduleShare = 2. / 3 // of a day that keeps to it, so much is as it should be
)

// schedule finds one. An hour of the day belongs to it, or is free, if it was so
// on at least three more days than not; the hours that belong to it must be in
// one piece, and all others free, but for four in which it changes. A day
// is counted from the first of these hours to the next time, if half of the piece
// is known, and keeps to the schedule if two thirds of what is known are as they
// should be, within the piece and outside of it. At least three more days must do
// so than do not: 3 of 3, 4 of 5, 5 of 7.
//
// If losses began at any hour, each day by itself, three of them would begin and
// end within an hour of each other with a probability below (3/24)^4, or .02 %. Of
// what comes and goes at random, with means from 2 to 24 hours, less than
// .1 % seem to have a schedule after 3 to 7 days, as measured.
func (a *almanac) schedule() (schedule, bool) {
	kinds := a.kinds()
	start, end, ok := piece(kinds)
	if !ok {
		return schedule{}, false
	}
	s := schedule{trouble: a.trouble}
	var within, outside uint32
	for h, k := range kinds {
		switch k {
		case lostHour:
			within |= 1 << h
		case aliveHour:
			outside |= 1 << h
		case noHour:
		}
	}
	for n := range int32(almanacDays) {
		d := a.from(a.today-n, start)
		lost, alive := d.lost&^d.alive, d.alive&^d.lost
		known := lost | alive
		if 2*bits.OnesCount32(known&within) < bits.OnesCount32(within) {
			continue
		}
		s.of++
		if most(lost, known, within) && most(alive, known, outside) {
			s.on++
		}
	}
	if 2*s.on-s.of < scheduleLead {
		return schedule{}, false
	}
	s.from, s.to = a.minute(start, changeLost), a.minute(end, changeBack)
	return s, true
}

// most says whether two thirds of what is known of some hours is as wanted.
func most(wanted, known, of uint32) bool {
	return float64(bits.OnesCount32(wanted&of)) >= scheduleShare*float64(bits.OnesCount32(known&of))
}

// hourKind is how an hour of the day usually is.
type hourKind uint8

const (
	noHour hourKind = iota // now this way, now that, or not known
	lostHour
	aliveHour
)

func (a *almanac) kinds() (kinds [hours]hourKind) {
	for h := range kinds {
		lost, alive, known := 0, 0, 0
		for _, d := range a.days {
			l, v := d.lost>>h&1 != 0, d.alive>>h&1 != 0
			switch {
			case l && !v:
				lost++
			case v && !l:
				alive++
			}
			if l || v {
				known++
			}
		}
		usual := func(n int) bool { return 2*n-known >= scheduleLead }
		switch {
		case usual(lost):
			kinds[h] = lostHour
		case usual(alive):
			kinds[h] = aliveHour
		}
	}
	return kinds
}

// piece finds the one piece of lost hours, from the first of them to the one
// after the last. There is none if they are in several.
func piece(kinds [hours]hourKind) (start, end int, ok bool) {
	var count [3]int
	begins := 0
	last := noHour
	for n := range 2 * hours { // the first time around only to know what comes before midnight
		k := kinds[n%hours]
		if n >= hours {
			count[k]++
		}
		if k == noHour {
			continue
		}
		if n >= hours {
			switch {
			case k == lostHour && last == aliveHour:
				begins++
				start = n % hours
			case k == aliveHour && last == lostHour:
				// The end is after the latest lost hour.
				end = n
				for kinds[(end-1)%hours] != lostHour {
					end--
				}
				end %= hours
			}
		}
		last = k
	}
	ok = begins == 1 && count[lostHour] >= scheduleHours && count[aliveHour] >= scheduleHours && count[noHour] <= scheduleGaps
	return start, end, ok
}

// minute says when the change at about an hour usually is, to the quarter of an
// hour that has begun: the median of those that are remembered and less than an
// hour away, for what happens in the middle of an hour is seen in two; the full
// hour if there are none.
func (a *almanac) minute(hour int, kind change) int {
	var near []int
	for _, c := range a.changes {
		if c&kind == 0 {
			continue
		}
		off := (int(c&changeTime) - hour*60 + 3*dayMinutes/2) % dayMinutes
		if off -= dayMinutes / 2; -60 < off && off < 60 {
			near = append(near, off)
		}
	}
	off := 0
	if len(near) > 0 {
		slices.Sort(near)
		off = near[(len(near)-1)/2]
	}
	at := (hour*60 + off + dayMinutes) % dayMinutes
	return at / 15 * 15
}

// covers says whether a time of day lies within the schedule.
func (s schedule) covers(t time.Time) bool {
	m := t.Hour()*60 + t.Minute()
	if s.from <= s.to {
		return s.from <= m && m < s.to
	}
	return s.from <= m || m < s.to
}

// String is the schedule in half a sentence.
func (s schedule) String() string {
	what := s.trouble.String()
	if s.trouble == Unknown {
		what = "unreachable"
	}
	return fmt.Sprintf("%s %02d:%02d-%02d:%02d on %d of the last %d days",
		what, s.from/60, s.from%60, s.to/60, s.to%60, s.on, s.of)
}
