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
	// last is the latest blow, and before the one before it, while they are
	// open.
	last, before blow
}

// blow is an event that has cost endpoints, and may still move clients.
type blow struct {
	open  bool
	index int
	at    time.Time
}

// settleTime is how long a blow stays open, unless the next one comes.
const settleTime = 3 * time.Second

// reportTime is how long a pool gathers moves before it reports them: what it
// reports sooner after a blow was caused by the one before.
const reportTime = 300 * time.Millisecond

// keep is how many events a state shows.
const keep = 32

// add writes an event. One that has cost endpoints is open from now on.
func (d *diary) add(now time.Time, e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.N = len(d.events) + 1
	e.Settled = e.Lost == 0
	if e.Lost > 0 {
		d.shut(&d.before)
		d.before, d.last = d.last, blow{true, len(d.events), now}
	}
	d.events = append(d.events, e)
}

// moved books clients to the blow that has moved them.
func (d *diary) moved(now time.Time, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.last
	if d.before.open && now.Sub(b.at) < reportTime {
		b = d.before
	}
	if b.open {
		e := &d.events[b.index]
		e.Moved += n
		e.Took = now.Sub(b.at)
	}
}

// settle closes blows that are older than an age, or followed by another.
func (d *diary) settle(now time.Time, age time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	since := now.Sub(d.last.at)
	if since >= min(age, reportTime) {
		d.shut(&d.before)
	}
	if since >= age {
		d.shut(&d.last)
	}
}

func (d *diary) shut(b *blow) {
	if b.open {
		d.events[b.index].Settled = true
		b.open = false
	}
}

// latest is a copy of the last events.
func (d *diary) latest() []Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Event(nil), d.events[max(0, len(d.events)-keep):]...)
}
