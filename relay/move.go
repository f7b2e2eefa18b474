package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay/internal/pump"
)

// carryDown reads the endpoint, from its grant to the end.
func (t *stream) carryDown() progress {
	conn, p := t.land()
	if conn == nil {
		return p
	}
	readErr, writeErr := t.pump(t.client, conn, outbound)
	readErr = t.unmask(readErr)
	switch {
	case errors.Is(readErr, errParked):
		return parked
	case errors.Is(readErr, io.EOF):
		t.halve(t.client, t.client)
	case readErr != nil:
		t.end(readErr)
	case writeErr != nil:
		t.end(errors.Join(errClientLeft, writeErr))
	}
	return over
}

// land waits for the destination's first bytes and hands them to the client,
// through another endpoint if the first one fails. It returns the connection
// they came from, or nil and what has become of the direction.
func (t *stream) land() (net.Conn, progress) {
	for {
		t.mu.Lock()
		conn, flowing := t.conn, t.flowing
		t.mu.Unlock()
		if flowing {
			return conn, over
		}
		n, err := t.first(conn)
		if n > 0 {
			if err != nil {
				t.end(errors.Join(errClientLeft, err))
				return nil, over
			}
			t.landed(int64(n))
			return conn, over
		}
		err = t.unmask(err)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			// The limit of a half-closed stream is no reason to move, which would
			// only double it.
			switch err := t.respite(outbound, conn, err); {
			case errors.Is(err, errParked):
				return nil, parked
			case err != nil:
				t.end(err)
				return nil, over
			}
			continue
		}
		if !t.move(err) {
			return nil, over
		}
	}
}

// first moves the first bytes. An error with n > 0 is the client's.
func (t *stream) first(conn net.Conn) (n int, err error) {
	return pump.Once(conn, &t.sources[outbound], func(b []byte) error {
		t.mu.Lock()
		t.flight.landing = true
		t.mu.Unlock()
		t.stamp(&t.lastDown)
		t.stamp(&t.writing)
		defer t.writing.Store(0)
		_, err := t.client.Write(b)
		return err
	})
}

// landed ends the first flight: from now on nothing can be taken back.
func (t *stream) landed(n int64) {
	t.down.Add(n)
	t.server.stats.down.Add(n)
	t.mu.Lock()
	t.flowing = true
	ep, since, left := t.endpoint, t.since, t.flight.left
	// Inbound learns of it when the client next says something.
	t.turn.Broadcast()
	if f := &t.flight; f.written == len(f.record) {
		f.record, f.written = nil, 0
	}
	t.mu.Unlock()
	now := time.Now()
	t.tell(ep, policy.Evidence{Outcome: policy.Answered, Asked: since, At: now, Took: now.Sub(since), Bytes: n})
	for _, d := range left {
		if !d.judged {
			t.tell(d.endpoint, policy.Evidence{Outcome: d.outcome, Asked: d.asked, At: now, Elsewhere: true})
		}
	}
}

// move takes the end of a connection before its first byte. If the flight may
// move, it goes on through another endpoint and move is true; otherwise the
// client gets to see the end as it was.
//
// The same end at two endpoints is the destination's, if both still answer:
// whole prefixes are lost at one moment, so that a flight may well meet two or
// more endpoints that the pool has not judged yet.
func (t *stream) move(err error) bool {
	away, movable := t.depart(err)
	switch {
	case away == nil:
		return false
	case !movable || t.agreed():
		t.over(err)
		return false
	}
	t.mu.Lock()
	f := &t.flight
	if t.ended {
		t.mu.Unlock()
		return false
	}
	away.judged = away.judged || f.judged
	old := t.conn
	f.lost, f.judged, t.conn = policy.None, false, nil
	f.rewind()
	t.number++
	t.resting = false
	t.stir()
	t.mu.Unlock()
	_ = upstream.Abort(old)
	t.server.watch.remove(t, away.endpoint)

	g, raceErr := t.race(f.left)
	if raceErr != nil {
		t.mu.Lock()
		t.endpoint = nil
		t.mu.Unlock()
		if errors.Is(err, io.EOF) || errors.Is(raceErr, errStands) {
			t.over(err)
		} else {
			t.end(raceErr)
		}
		return false
	}
	t.server.stats.moved.Add(1)
	t.use(g)
	return true
}

// agreed asks whether the endpoints that the flight has left agree on its end.
func (t *stream) agreed() bool {
	ctx, release := t.scope()
	defer release()
	return t.flight.left.agree(ctx)
}

// depart notes that the flight leaves its endpoint, of which it asks whether it
// still answers if that is in question. It is nil if the stream has ended, and
// movable is false if the flight may not move, or if there is nothing to move.
func (t *stream) depart(err error) (away *departure, movable bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return nil, false
	}
	f := &t.flight
	away = &departure{endpoint: t.endpoint, outcome: f.lost, asked: t.since, judged: f.judged}
	if f.lost == policy.None {
		away.outcome = upstream.Classify(err)
	}
	empty := len(f.record) == 0 && f.fin // both sides have had nothing to say
	if !f.movable(t.server.config.Replay) || empty && errors.Is(err, io.EOF) {
		return away, false
	}
	if ambiguous(away.outcome) && !away.judged {
		away.knock = t.server.knocks.at(away.endpoint)
	}
	f.left = append(f.left, away)
	return away, true
}

// over passes the end of a connection that brought no byte on to the client.
func (t *stream) over(err error) {
	if !errors.Is(err, io.EOF) {
		t.end(err)
		return
	}
	t.mu.Lock()
	t.flowing = true
	t.stir()
	t.mu.Unlock()
	t.halve(t.client, t.client)
}
