package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// mostRecorded is how much of a first flight is kept. A longer one stays where
// it is.
const mostRecorded = 64 << 10

// flight is what a client has sent before the destination's first byte was
// handed to it. It is guarded by its stream's mutex, but for the bytes behind
// the end of record, into which inbound reads.
type flight struct {
	record   []byte
	written  int  // of record, to the stream's present connection
	overlong bool // there is more than record holds
	fin      bool // the client has ended its direction
	finSent  bool

	reading bool // inbound waits for the client
	kicked  bool // and has been told to stop

	lost   policy.Outcome // why the connection was taken away; None: it was not
	judged bool           // it was taken away by a verdict
	moved  *departure     // not nil after the one move
}

// departure is what made a flight move.
type departure struct {
	endpoint *pool.Endpoint
	outcome  policy.Outcome
	asked    time.Time
	judged   bool // by the pool, which needs no evidence then
}

func (f *flight) add(b []byte) { f.record = append(f.record, b...) }

// pending reports whether inbound has something to write.
func (f *flight) pending() bool {
	return f.written < len(f.record) || f.fin && !f.finSent
}

// movable reports whether the flight may be sent again elsewhere.
func (f *flight) movable(r Replay) bool {
	return f.moved == nil && !f.overlong && r.movable(f.record)
}

// rewind makes inbound send everything once more.
func (f *flight) rewind() { f.written, f.finSent = 0, false }

// inbound is the goroutine that reads the client, from the request to the end.
func (t *stream) inbound() {
	defer t.leave()
	conn, ok := t.takeOff()
	if !ok {
		return
	}
	readErr, writeErr := t.pump(conn, t.client, &t.up, &t.lastUp, nil)
	switch {
	case readErr == io.EOF:
		t.halve(conn, conn)
	case readErr != nil:
		t.end(errors.Join(errClientLeft, readErr))
	case writeErr != nil:
		// What has come from the destination shall still reach the client;
		// outbound sees the end behind it.
	}
}

// takeOff records the first flight and sends it, again if it must move. It
// returns the connection to go on with, and false if nothing remains to be sent.
func (t *stream) takeOff() (net.Conn, bool) {
	f := &t.flight
	t.mu.Lock()
	defer t.mu.Unlock()
	for !t.ended {
		switch {
		case t.conn != nil && f.written < len(f.record):
			if !t.send(f.record[f.written:]) {
				continue
			}
		case t.conn != nil && f.fin && !f.finSent:
			f.finSent = true
			closeWrite(t.conn)
			t.halved(t.conn)
		case f.fin && t.flowing:
			f.record = nil
			return nil, false
		case t.conn != nil && (t.flowing || f.overlong):
			if t.flowing {
				f.record = nil
			}
			return t.conn, true
		case f.fin || f.overlong:
			t.turn.Wait()
		default:
			t.listen()
		}
	}
	return nil, false
}

// send writes to the connection as it is now, with the lock released. After an
// error it waits until outbound has seen it too and has decided.
func (t *stream) send(b []byte) bool {
	f, conn, number := &t.flight, t.conn, t.number
	t.mu.Unlock()
	n, err := conn.Write(b)
	t.stamp(&t.lastUp)
	t.mu.Lock()
	if t.number != number {
		return false
	}
	f.written += n
	t.up.Add(int64(n))
	t.server.stats.up.Add(int64(n))
	for err != nil && t.number == number && !t.ended && !t.flowing {
		t.turn.Wait()
	}
	if err != nil && t.number == number {
		// Nothing can be sent any more, so there is nothing to send.
		f.written, f.fin, f.finSent = len(f.record), true, true
	}
	return err == nil
}

// listen reads once from the client, with the lock released.
func (t *stream) listen() {
	const spare = 1 << 10
	f := &t.flight
	if cap(f.record)-len(f.record) < spare {
		f.record = append(make([]byte, 0, 2*len(f.record)+spare), f.record...)
	}
	room := f.record[len(f.record):min(cap(f.record), mostRecorded)]
	if len(room) == 0 {
		f.overlong = true
		return
	}
	f.reading = true
	t.mu.Unlock()
	n, err := t.client.Read(room)
	t.mu.Lock()
	f.reading = false
	f.record = f.record[:len(f.record)+n]
	if f.kicked {
		f.kicked = false
		_ = t.client.SetReadDeadline(t.limit())
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
	}
	switch {
	case err == nil:
	case err == io.EOF && (len(f.record) > 0 || t.number > 0):
		f.fin = true
	case err == io.EOF, t.number == 0:
		// Nobody closes before the answer to a request but by leaving.
		t.ended, t.cause = true, errClientLeft
		t.cancel(errClientLeft)
	default:
		t.mu.Unlock()
		t.end(errors.Join(errClientLeft, err))
		t.mu.Lock()
	}
}

// outbound is the goroutine that reads the endpoint.
func (t *stream) outbound() {
	defer t.leave()
	conn, ok := t.land()
	if !ok {
		return
	}
	readErr, writeErr := t.pump(t.client, conn, &t.down, &t.lastDown, &t.writing)
	switch {
	case readErr == io.EOF:
		t.halve(t.client, t.client)
	case readErr != nil:
		t.end(readErr)
	case writeErr != nil:
		t.end(errors.Join(errClientLeft, writeErr))
	}
}

// land waits for the destination's first bytes and hands them to the client,
// through another endpoint if the first one fails. It returns the connection
// they came from, and false if outbound has nothing more to do.
func (t *stream) land() (net.Conn, bool) {
	for {
		t.mu.Lock()
		conn := t.conn
		t.mu.Unlock()
		n, err := t.first(conn)
		if n > 0 {
			if err != nil {
				t.end(errors.Join(errClientLeft, err))
				return nil, false
			}
			t.landed(int64(n))
			return conn, true
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			// The limit of a half-closed stream, which moving would only double.
			if !t.patient(conn, &t.lastDown, err) {
				t.end(err)
				return nil, false
			}
			continue
		}
		if !t.move(err) {
			return nil, false
		}
	}
}

// first moves the first bytes. An error with n > 0 is the client's.
func (t *stream) first(conn net.Conn) (n int, err error) {
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	n, err = conn.Read(*b)
	if n == 0 {
		return 0, err
	}
	t.stamp(&t.lastDown)
	t.stamp(&t.writing)
	_, err = t.client.Write((*b)[:n])
	t.writing.Store(0)
	return n, err
}

// landed ends the first flight: from now on nothing can be taken back.
func (t *stream) landed(n int64) {
	t.down.Add(n)
	t.server.stats.down.Add(n)
	t.mu.Lock()
	t.flowing = true
	ep, since, moved := t.endpoint, t.since, t.flight.moved
	t.stir()
	t.mu.Unlock()
	now := time.Now()
	ep.Report(policy.Evidence{
		Phase: policy.Transfer, Outcome: policy.Answered, Asked: since, At: now, Took: now.Sub(since), Bytes: n,
	})
	if moved != nil && !moved.judged {
		moved.endpoint.Report(policy.Evidence{
			Phase: policy.Transfer, Outcome: moved.outcome, Asked: moved.asked, At: now, Elsewhere: true,
		})
	}
}

// move takes the end of a connection before its first byte. If the flight may
// move, it goes on through another endpoint and move is true; otherwise the
// client gets to see the end as it was.
func (t *stream) move(err error) bool {
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		return false
	}
	f := &t.flight
	away := &departure{endpoint: t.endpoint, outcome: f.lost, asked: t.since, judged: f.judged}
	if f.lost == policy.None {
		away.outcome = upstream.Classify(err)
	}
	empty := len(f.record) == 0 && f.fin // both sides have had nothing to say
	if !f.movable(t.server.config.Replay) || empty && err == io.EOF {
		t.mu.Unlock()
		t.over(err)
		return false
	}
	old := t.conn
	f.moved, f.lost, t.conn = away, policy.None, nil
	f.rewind()
	t.number++
	t.stir()
	t.mu.Unlock()
	_ = upstream.Abort(old)
	t.server.watch.remove(t, away.endpoint)

	g, raceErr := t.race(away.endpoint)
	if raceErr != nil {
		t.mu.Lock()
		t.endpoint = nil
		t.mu.Unlock()
		if err == io.EOF {
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

// over passes the end of a connection that brought no byte on to the client.
func (t *stream) over(err error) {
	if err != io.EOF {
		t.end(err)
		return
	}
	t.mu.Lock()
	t.flowing = true
	t.stir()
	t.mu.Unlock()
	t.halve(t.client, t.client)
}
