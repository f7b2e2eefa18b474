package lab

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// tally is the book of what the clients of one ISP got. What kept it from them
// is judged by when endpoints were free of rules, which it is told.
type tally struct {
	mu     sync.Mutex
	began  time.Time
	length time.Duration
	cells  [cells]Cell
	recent []result // of the last few seconds, oldest first
	sums   sums

	stopped bool
	idle    chan struct{} // closed when stopped and nobody waits
	// waiting is how many requests wait for their first byte; busy is since
	// when some do, answered when one of them last got it.
	waiting        int
	busy, answered time.Time
	open           int // long streams
	// spells are the times at which some endpoint was free of rules, cuts those
	// at which the ISP's own network was down.
	spells, cuts []spell
}

// cells is how many parts a run has for its strip.
const cells = 60

// window is what the board counts.
const window = 5 * time.Second

type result struct {
	at   time.Time
	took time.Duration
	ok   bool
}

// sums are what the report adds up.
type sums struct {
	requests, failed, excused, down int
	streams, cut                    int
	gap, slowest                    time.Duration
	gapEnd                          time.Time
	failures                        []string
}

// spell is a time; until is zero while it lasts.
type spell struct{ from, until time.Time }

// maxFailures is how many failures are described.
const maxFailures = 20

func newTally() *tally { return &tally{idle: make(chan struct{})} }

func (t *tally) begin(now time.Time, length time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began, t.length = now, length
}

// stop makes ask refuse. The channel is closed when the last request that was
// asked before has ended its wait. Call it once.
func (t *tally) stop() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	if t.waiting == 0 {
		close(t.idle)
	}
	return t.idle
}

// ask notes that a request begins, and reports whether it may.
func (t *tally) ask(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return false
	}
	if t.waiting == 0 {
		t.busy = now
	}
	t.waiting++
	return true
}

// answer notes that a request got its first byte.
func (t *tally) answer(asked, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end(now)
	t.answered = now
	took := now.Sub(asked)
	t.sums.requests++
	t.sums.slowest = max(t.sums.slowest, took)
	t.recent = append(t.recent, result{now, took, true})
	if c := t.cell(now); took >= slow {
		c.Slow++
	} else {
		c.OK++
	}
}

// fail notes that a request did not get one. It is excused if no endpoint was
// free of rules at any time since it was asked, or if its own network was down at
// one.
func (t *tally) fail(asked, now time.Time, what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end(now)
	t.sums.requests++
	switch {
	case within(t.cuts, asked, now):
		t.sums.down++
		return
	case !within(t.spells, asked, now):
		t.sums.excused++
		return
	}
	t.sums.failed++
	t.recent = append(t.recent, result{now, now.Sub(asked), false})
	t.cell(now).Failed++
	if len(t.sums.failures) < maxFailures {
		t.sums.failures = append(t.sums.failures, fmt.Sprintf("%s, asked at %s, after %s: %v",
			what, clockTime(asked.Sub(t.began)), seconds(now.Sub(asked)), err))
	}
}

// abandon notes that a request was given up because the run ends.
func (t *tally) abandon(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end(now)
}

// end closes a request's wait. Since the later of the last answer and the
// moment when somebody began to wait, nobody got anything.
func (t *tally) end(now time.Time) {
	since := t.busy
	if t.answered.After(since) {
		since = t.answered
	}
	if gap := now.Sub(since); gap > t.sums.gap {
		t.sums.gap, t.sums.gapEnd = gap, now
	}
	t.waiting--
	if t.stopped && t.waiting == 0 {
		close(t.idle)
	}
}

// stream notes that a long stream begins or ends, and whether it was cut.
func (t *tally) stream(begins, cut bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if begins {
		t.open++
		t.sums.streams++
		return
	}
	t.open--
	if cut {
		t.sums.cut++
	}
}

// reachable notes whether some endpoint can be reached from now on.
func (t *tally) reachable(now time.Time, free bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spells = turn(t.spells, now, free)
}

// outage notes whether the ISP's own network is down from now on.
func (t *tally) outage(now time.Time, down bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cuts = turn(t.cuts, now, down)
}

// turn begins a spell or ends the last one, if that is news.
func turn(spells []spell, now time.Time, on bool) []spell {
	last := len(spells) - 1
	lasts := last >= 0 && spells[last].until.IsZero()
	switch {
	case on && !lasts:
		return append(spells, spell{from: now})
	case !on && lasts:
		spells[last].until = now
	}
	return spells
}

// within reports whether one of the spells has a part in the time between two
// moments.
func within(spells []spell, from, until time.Time) bool {
	return slices.ContainsFunc(spells, func(s spell) bool {
		return !s.from.After(until) && (s.until.IsZero() || s.until.After(from))
	})
}

func (t *tally) cell(now time.Time) *Cell {
	i := int(cells * now.Sub(t.began) / max(t.length, 1))
	return &t.cells[min(max(i, 0), cells-1)]
}

// state is what the board shows of it.
func (t *tally) state(name string, now time.Time) ISPState {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.recent) > 0 && now.Sub(t.recent[0].at) > window {
		t.recent = t.recent[1:]
	}
	s := ISPState{Name: name, Streams: t.open, Strip: append([]Cell(nil), t.cells[:]...), Answered: 1}
	for _, r := range t.recent {
		if r.ok {
			s.OK++
			s.Slowest = max(s.Slowest, r.took)
		} else {
			s.Failed++
		}
	}
	if t.sums.requests > 0 {
		s.Answered = 1 - float64(t.sums.failed)/float64(t.sums.requests)
	}
	return s
}

// total is what the report adds up.
func (t *tally) total() sums {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sums
	s.failures = append([]string(nil), s.failures...)
	return s
}
