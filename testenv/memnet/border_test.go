package memnet_test

import (
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// border is a censor that a test can turn on and off, with a record of the
// packets that it saw.
type border struct {
	mu   sync.Mutex
	up   blocker.Act
	down blocker.Act
	// limit, if positive, is how many payload bytes pass before all is lost.
	limit int
	seen  []sighting
}

type sighting struct {
	blocker.Packet
	at time.Time
}

func (b *border) Inspect(p blocker.Packet, now time.Time) blocker.Decision {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.Payload = nil
	b.seen = append(b.seen, sighting{p, now})
	act := b.up
	if p.Dir == blocker.Down {
		act = b.down
	}
	if b.limit > 0 && act == blocker.Forward && p.Size >= b.limit {
		d := blocker.Decision{Act: blocker.Discard, Pass: b.limit}
		b.limit, b.up, b.down = 0, blocker.Discard, blocker.Discard
		return d
	}
	if b.limit > 0 {
		b.limit -= p.Size
	}
	return blocker.Decision{Act: act}
}

func (b *border) set(up, down blocker.Act) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up, b.down = up, down
}

// times are when packets of a kind were sent, since a time.
func (b *border) times(kind blocker.Kind, since time.Time) (t []time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.seen {
		if s.Kind == kind && !s.at.Before(since) {
			t = append(t, s.at.Sub(since))
		}
	}
	return t
}
