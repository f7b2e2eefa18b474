package relay

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/relay/internal/pump"
)

// restAfter is how long a stream must have been silent for its goroutines to
// end. What is said within that time costs no more than a wake of a goroutine.
const restAfter = 500 * time.Millisecond

// side is a direction of a stream.
type side int

const (
	inbound  side = iota // from the client
	outbound             // from the endpoint
)

// progress is what has become of a direction whose goroutine ends.
type progress int

const (
	over   progress = iota // it has ended
	parked                 // it goes on when there is something to read
)

// errParked is no error: a direction waits without its goroutine.
var errParked = errors.New("parked")

// run is a direction's goroutine. All of a direction's state is the stream's, so
// that another one can go on where it has stopped.
func (t *stream) run(s side) {
	carry := t.carryUp
	if s == outbound {
		carry = t.carryDown
	}
	if carry() == over {
		t.leave()
	}
}

// rest has both directions wait without a goroutine, until either side says
// something. A direction that is not reading just now comes to it when it next
// does.
func (t *stream) rest() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || t.half || t.resting || t.conn == nil || !pump.Parks(t.client) || !pump.Parks(t.conn) {
		return
	}
	t.resting = true
	for s, src := range map[side]net.Conn{inbound: t.client, outbound: t.conn} {
		if t.parked[s] == nil {
			_ = src.SetReadDeadline(past)
		}
	}
}

// respite is called when reading has run into a deadline. The error is nil if it
// is to go on, errParked if somebody else waits from now on, and the given one if
// a half-closed stream has been silent for too long.
func (t *stream) respite(s side, src net.Conn, err error) error {
	last := &t.lastUp
	if s == outbound {
		last = &t.lastDown
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.half {
		return t.extend(src, last, err)
	}
	_ = src.SetReadDeadline(time.Time{})
	if t.resting && t.park(s, src) {
		return errParked
	}
	return nil
}

// extend sets the limit on the silence of a half-closed stream again, counted
// from the last byte or the half-close; if that is too long ago, it returns err. The caller holds
// mu.
func (t *stream) extend(src net.Conn, last *atomic.Int64, err error) error {
	now := time.Now()
	silent := min(t.ago(last, now), now.Sub(t.halfSince))
	if silent >= halfClosed {
		return err
	}
	return src.SetReadDeadline(now.Add(halfClosed - silent))
}

// park leaves the waiting for src to the lot. It is false if the direction has to
// wait by itself, as in a half-closed stream, whose silence has a limit. The
// caller holds mu.
func (t *stream) park(s side, src net.Conn) bool {
	if t.half || t.ended {
		return false
	}
	clients := &t.server.clients
	clients.Add(1) // the stream is still there
	spot := t.server.lot.Park(src, func() {
		defer clients.Done()
		t.mu.Lock()
		t.resting, t.parked[s] = false, nil
		t.server.stats.resting.Add(-1)
		t.mu.Unlock()
		t.run(s)
	})
	if spot == nil {
		clients.Done()
		t.resting = false
		return false
	}
	t.parked[s] = spot
	t.server.stats.resting.Add(1)
	return true
}

// wake has a direction go on if it is parked. The caller holds mu.
func (t *stream) wake(s side) {
	if spot := t.parked[s]; spot != nil {
		spot.Wake()
	}
}
