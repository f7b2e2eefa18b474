package lab

import (
	"sync"
	"time"
)

// diary keeps the events of a run. The latest blow of the blocker is open for a
// while: clients that are moved meanwhile are booked to it.
type diary struct {
	mu     sync.Mutex
	events []Event
	// blow is the index of the open one, -1 if none is, and struck its moment.
	blow   int
	struck time.Time
}

// settleTime is how long a blow stays open, unless the next one comes.
const settleTime = 3 * time.Second

// keep is how many events a state shows.
const keep = 32

func newDiary() *diary { return &diary{blow: -1} }

// add writes an event. One that has cost endpoints is open from now on.
func (d *diary) add(now time.Time, e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.N = len(d.events) + 1
	e.Settled = e.Lost == 0
	if e.Lost > 0 {
		d.shut()
		d.blow, d.struck = len(d.events), now
	}
	d.events = append(d.events, e)
}

// moved books clients to the open blow.
func (d *diary) moved(now time.Time, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.blow >= 0 {
		e := &d.events[d.blow]
		e.Moved += n
		e.Took = now.Sub(d.struck)
	}
}

// settle closes a blow that is older than a time.
func (d *diary) settle(now time.Time, age time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.blow >= 0 && now.Sub(d.struck) >= age {
		d.shut()
	}
}

func (d *diary) shut() {
	if d.blow >= 0 {
		d.events[d.blow].Settled = true
		d.blow = -1
	}
}

// latest is a copy of the last events.
func (d *diary) latest() []Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Event(nil), d.events[max(0, len(d.events)-keep):]...)
}
