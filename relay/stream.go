package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay/internal/pump"
)

// halfClosed is how long a stream may be silent after one side has ended it.
const halfClosed = 10 * time.Minute

var (
	// errClientLeft ends a dial whose client has gone: it has closed without
	// having sent anything, or reset.
	errClientLeft = errors.New("the client has left")
	errCut        = errors.New("cut by verdict")
)

// stream is a client's request and the bytes that follow it: dialled, then a
// first flight that may move to another endpoint, then two directions that flow.
//
// It has two directions: inbound reads the client from the moment its request is
// known, outbound reads the endpoint. Only inbound writes to the endpoint, and
// only outbound decides which endpoint that is. Each is served by a goroutine of
// its own, or by none while it is parked.
type stream struct {
	server      *Server
	client      net.Conn
	name        string // the client's
	destination string
	began       time.Time
	remaining   atomic.Int32 // directions that have not ended

	up, down         atomic.Int64 // bytes handed on
	lastUp, lastDown atomic.Int64 // when, in ns after began
	writing          atomic.Int64 // since when a write to the client has lasted; 0: none does

	sources [2]pump.Source // of each direction, whose goroutine they belong to

	gaze gaze // belongs to the watch's goroutine
	// calledSilent is true while the pool takes its path for silent.
	calledSilent atomic.Bool

	mu        sync.Mutex
	turn      sync.Cond               // signalled when anything below changes
	cancel    context.CancelCauseFunc // ends what outbound waits for in a scope; may be nil
	resting   bool                    // neither side has had anything to say for a while
	parked    [2]*pump.Spot           // directions that wait without a goroutine
	flight    flight
	conn      net.Conn // nil while dialling
	endpoint  *pool.Endpoint
	since     time.Time // when conn was granted
	failure   error     // of conn, that a write was told of
	number    int       // counts the values of conn
	flowing   bool      // the first flight is over
	ended     bool
	half      bool // one direction has ended
	halfSince time.Time
	cause     error // why it ended, if not by itself
}

func newStream(s *Server, client net.Conn, name, destination string, early []byte) *stream {
	t := &stream{server: s, client: client, name: name, destination: destination, began: time.Now()}
	t.turn.L = &t.mu
	t.flight.add(early)
	t.remaining.Store(2)
	return t
}

// scope is a context that the end of the stream ends too, with its cause. There
// is one at a time, and none while bytes flow. Release it after use.
func (t *stream) scope() (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(t.server.ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel = cancel
	if t.ended {
		cancel(t.cause)
	}
	return ctx, func() {
		t.mu.Lock()
		t.cancel = nil
		t.mu.Unlock()
		cancel(nil)
	}
}

// finish notes the stream's end and its cause. The caller holds mu.
func (t *stream) finish(cause error) {
	t.ended, t.cause = true, cause
	if t.cancel != nil {
		t.cancel(cause)
	}
}

// dial reaches the destination, while inbound already listens to the client. On
// error the stream has ended, but for the client's connection, which the caller
// still has an answer for.
func (t *stream) dial() error {
	t.sources[inbound].Watch(t.client)
	t.server.clients.Go(func() { t.run(inbound) })
	g, err := t.race(nil)
	if err != nil {
		t.end(err)
		return err
	}
	t.use(g)
	return nil
}

// race looks for an endpoint other than those that were left, with the whole
// patience.
func (t *stream) race(left departures) (grant, error) {
	ctx, release := t.scope()
	r := &race{
		server: t.server, ctx: ctx, cancel: release, client: t.name, destination: t.destination,
		left: left, knocked: left.knocking(),
		deadline: time.Now().Add(t.server.config.Patience),
	}
	return r.dial()
}

// use makes g the stream's way to the destination.
func (t *stream) use(g grant) {
	t.sources[outbound].Watch(g.conn)
	t.mu.Lock()
	t.conn, t.endpoint, t.since, t.failure = g.conn, g.endpoint, time.Now(), nil
	t.number++
	ended := t.ended
	t.stir()
	t.mu.Unlock()
	t.server.watch.add(t, g.endpoint)
	if ended {
		_ = upstream.Abort(g.conn)
	}
	if t.server.ctx.Err() != nil {
		t.end(ErrServerClosed) // the watch may have ended the streams before
	}
}

// carry goes on where the handshake ends.
func (t *stream) carry() {
	_ = t.client.SetWriteDeadline(time.Time{})
	t.server.stats.open.Add(1)
	t.server.clients.Go(func() { t.run(outbound) })
}

// stir makes inbound look at the stream again, also if it waits for the client
// to say something. The caller holds mu.
func (t *stream) stir() {
	t.turn.Broadcast()
	if t.flight.reading && !t.flight.kicked && (t.ended || t.flowing || t.flight.pending()) {
		t.flight.kicked = true
		_ = t.client.SetReadDeadline(past)
	}
	if t.ended || t.flowing || t.flight.pending() {
		t.wake(inbound)
	}
	if t.ended {
		t.wake(outbound)
	}
}

var past = time.Unix(1, 0)

// end ends the stream for a reason that is neither side's own FIN. Both
// connections are reset, so that nobody takes what came for the whole. It is
// false if the stream had ended before.
func (t *stream) end(cause error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.finish(cause)
	if t.conn != nil {
		_ = upstream.Abort(t.conn)
	}
	if t.number > 0 {
		// Before that, the client is still owed an answer.
		_ = upstream.Abort(t.client)
	}
	t.stir()
	return true
}

// fail ends a stream whose success reply did not reach the client.
func (t *stream) fail() { t.end(errClientLeft) }

// cut ends the stream because of the pool's verdict. A first flight that may
// move does so instead.
func (t *stream) cut() {
	if t.lose(true) {
		return
	}
	if t.end(errCut) {
		t.server.stats.cut.Add(1)
	}
}

// lose takes the endpoint away from a first flight, which makes it move. It is
// false if the flight is over, or may not move. A path that is silent is lost
// whatever the destination does. Judged says that the pool has
// given its verdict on the endpoint, and needs no evidence from the move.
func (t *stream) lose(judged bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.flowing || t.flight.landing || t.ended || !t.flight.movable(t.server.config.Replay) {
		return false
	}
	if t.conn != nil {
		t.flight.lost, t.flight.judged = policy.Silent, judged
		_ = upstream.Abort(t.conn)
		t.wake(outbound)
	}
	return true
}

// leave is called at the end of each direction; the last one cleans up.
func (t *stream) leave() {
	if t.remaining.Add(-1) > 0 {
		return
	}
	t.mu.Lock()
	conn, ep, cause := t.conn, t.endpoint, t.cause
	t.ended = true
	t.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
	_ = t.client.Close()
	t.server.watch.remove(t, ep)
	t.server.release(t.client)
	t.server.stats.open.Add(-1)
	how := "complete"
	if cause != nil {
		how = reason(cause)
		if !errors.Is(cause, errCut) && !errors.Is(cause, errClientLeft) {
			t.server.stats.broken.Add(1)
		}
	}
	log := t.server.config.Logger
	attrs := []slog.Attr{
		slog.String("client", t.name), slog.Duration("took", time.Since(t.began)),
		slog.Int64("up", t.up.Load()), slog.Int64("down", t.down.Load()), slog.String("end", how),
	}
	if ep != nil {
		attrs = append(attrs, slog.String("endpoint", ep.Name()))
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "stream ended", attrs...)
	log.Debug("stream ended", "client", t.name, "destination", t.destination, "cause", cause)
}

// reason is a cause without names and addresses, for the info log.
func reason(cause error) string {
	switch {
	case errors.Is(cause, errCut), errors.Is(cause, errClientLeft):
		return cause.Error()
	default:
		return upstream.Classify(cause).String()
	}
}

// tell tells the pool how this stream fares with an endpoint.
func (t *stream) tell(ep *pool.Endpoint, ev policy.Evidence) {
	ev.Phase, ev.Destination = policy.Transfer, t.server.where(t.destination)
	t.server.tell(ep, ev)
}

// ago is how long before now the stamp was set; the stream's whole age if never.
func (t *stream) ago(stamp *atomic.Int64, now time.Time) time.Duration {
	return now.Sub(t.began) - time.Duration(stamp.Load())
}

func (t *stream) stamp(stamp *atomic.Int64) { stamp.Store(int64(time.Since(t.began))) }
