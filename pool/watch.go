package pool

import (
	"context"
	"errors"
	"sync"
)

// ErrWatchClosed is returned by [Watch.Next] after Close, or after the pool's
// Run has ended and all events are read.
var ErrWatchClosed = errors.New("pool: watch closed")

// backlog is how many events a watcher may lag behind.
const backlog = 4096

// Watch is a stream of a pool's events, in order, from the moment it was made.
// It never holds up the pool: a reader that lags behind by more than 4096 events
// loses the oldest and is told how many. It is safe for concurrent use.
type Watch struct {
	pool *Pool

	mu     sync.Mutex
	queue  []Event
	missed int
	closed bool
	wake   chan struct{}
}

// Watch starts watching. Close it after use. Once Run has returned there is
// nothing to come, and a new watch is closed from the start.
func (p *Pool) Watch() *Watch {
	w := &Watch{pool: p, wake: make(chan struct{}, 1)}
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	if p.ended {
		w.closed = true
	} else {
		p.watches[w] = struct{}{}
	}
	return w
}

// Next waits for the next event. It fails with ctx's error, or with
// ErrWatchClosed.
func (w *Watch) Next(ctx context.Context) (Event, error) {
	for {
		w.mu.Lock()
		switch {
		case w.missed > 0:
			ev := Event{Kind: Missed, N: w.missed}
			w.missed = 0
			w.mu.Unlock()
			return ev, nil
		case len(w.queue) > 0:
			ev := w.queue[0]
			w.queue = w.queue[1:]
			if len(w.queue) > 0 {
				w.signal() // for another reader, who may have slept through it
			}
			w.mu.Unlock()
			return ev, nil
		case w.closed:
			w.signal()
			w.mu.Unlock()
			return Event{}, ErrWatchClosed
		}
		w.mu.Unlock()
		select {
		case <-ctx.Done():
			return Event{}, ctx.Err()
		case <-w.wake:
		}
	}
}

// Close ends the watch. Next then returns what is left, then ErrWatchClosed.
func (w *Watch) Close() {
	w.pool.watchMu.Lock()
	delete(w.pool.watches, w)
	w.pool.watchMu.Unlock()
	w.end()
}

func (w *Watch) end() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.signal()
}

func (w *Watch) push(ev Event) {
	w.mu.Lock()
	if len(w.queue) >= backlog {
		w.queue = w.queue[1:]
		w.missed++
	}
	w.queue = append(w.queue, ev)
	w.mu.Unlock()
	w.signal()
}

func (w *Watch) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (p *Pool) emit(events []Event) {
	if len(events) == 0 {
		return
	}
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	for w := range p.watches {
		for _, ev := range events {
			w.push(ev)
		}
	}
}
