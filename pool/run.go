package pool

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// lookEvery is the longest pause between two looks: the group learns of streams
// and of answers only then, and plans by them when to examine whom.
const lookEvery = 2 * time.Second

// movedPause gathers the moves of clients that belong to one loss into one
// event.
const movedPause = 300 * time.Millisecond

// Run is the pool's one loop: it advances the decisions when they are due and
// runs the examinations that they ask for. It returns ctx's error once ctx has
// ended and every examination with it. Call it once.
func (p *Pool) Run(ctx context.Context) error {
	var examinations sync.WaitGroup
	defer p.endWatches()
	defer examinations.Wait()
	timer := time.NewTimer(1)
	defer timer.Stop()
	var movedAt time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.wake:
		case <-timer.C:
		}
		now := time.Now()
		actions, next := p.step(ctx, now)
		q := p.consult(ctx, actions, now, &examinations)
		for _, a := range actions {
			if a.Kind == policy.Examine {
				examinations.Go(func() { p.examine(ctx, a, q) })
			}
		}
		if p.moves.moved.Load() > 0 && movedAt.IsZero() {
			movedAt = now.Add(movedPause)
		}
		if !movedAt.IsZero() && !now.Before(movedAt) {
			movedAt = time.Time{}
			p.emit([]Event{{At: now, Kind: Moved, N: int(p.moves.moved.Swap(0))}})
		}
		if err := rest(ctx, time.Since(now)); err != nil {
			return err
		}
		pause := lookEvery
		for _, at := range []time.Time{next, movedAt} {
			if !at.IsZero() {
				pause = min(pause, time.Until(at))
			}
		}
		timer.Reset(max(pause, 1))
	}
}

// restAbove is how long a step takes after which there is a rest, and restMost
// the longest rest.
const (
	restAbove = 200 * time.Microsecond
	restMost  = 20 * time.Millisecond
)

// rest lets as much time pass as the last step took. In a storm the requests so
// keep the better part of the machine, and the next step takes together what has
// come in meanwhile. The first change after a calm is never late.
func rest(ctx context.Context, took time.Duration) error {
	if took < restAbove {
		return nil
	}
	timer := time.NewTimer(min(took, restMost))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// step advances the group, stores, publishes and tells what has changed, and
// returns what is to be done and when to come back.
func (p *Pool) step(ctx context.Context, now time.Time) ([]policy.Action, time.Time) {
	s := p.advance(now)
	// The rows come before the view, so that whom that wakes finds them; but not
	// all of them, or leases would be long out of date before they are told.
	p.save(s.serving)
	p.mu.Lock()
	if ranked := p.rerank(); ranked || len(s.events) > 0 {
		p.publish()
	}
	p.mu.Unlock()
	for len(s.others) > 0 || len(s.events) > 0 {
		n := min(len(s.others), batch)
		p.save(s.others[:n])
		s.others = s.others[n:]
		n = min(len(s.events), batch)
		p.tell(ctx, s.events[:n])
		s.events = s.events[n:]
	}
	return s.actions, s.next
}

// outcome is what came of an advance of the group.
type outcome struct {
	actions []policy.Action
	next    time.Time
	events  []Event
	// serving are the endpoints that have changed and hold a slot, or held one in
	// the published view; others are those that do not, in the events' order.
	serving, others []int
}

// advance hands the group what has come in, and lets it do what is due.
func (p *Pool) advance(now time.Time) (o outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hear()
	for _, i := range p.group.Slots() {
		if i >= 0 && p.endpoints[i].streams.Load() > 0 {
			p.group.Use(i, now)
		}
	}
	o.actions, o.next = p.group.Advance(now)
	changed := make(map[int]struct{})
	for _, a := range o.actions {
		if ev, ok := p.event(a, now); ok {
			o.events = append(o.events, ev)
		}
		if a.Endpoint < 0 {
			continue
		}
		if _, ok := changed[a.Endpoint]; ok {
			continue
		}
		changed[a.Endpoint] = struct{}{}
		e, r := p.endpoints[a.Endpoint], p.group.Record(a.Endpoint)
		e.state.Store(uint32(r.State))
		p.judge(e, badness(r))
		p.regard(e)
		if r.Slot >= 0 || e.slot.Load() >= 0 {
			o.serving = append(o.serving, a.Endpoint)
		} else {
			o.others = append(o.others, a.Endpoint)
		}
	}
	clear(p.former)
	p.listen()
	return o
}

// save stores rows. That it cannot is a mistake in a row, and no reason to stop.
func (p *Pool) save(rows []int) {
	for rows := range slices.Chunk(rows, batch) {
		if err := p.write(rows); err != nil {
			p.logger.Error("pool: storing rows", "err", err)
		}
	}
}

// tell logs events, and gives them to those who watch.
func (p *Pool) tell(ctx context.Context, events []Event) {
	if p.logger.Enabled(ctx, slog.LevelInfo) {
		for _, ev := range events {
			p.logger.InfoContext(ctx, ev.String())
		}
	}
	p.emit(events)
}

func (p *Pool) event(a policy.Action, now time.Time) (Event, bool) {
	ev := Event{At: now, Verdict: a.Verdict, Cause: a.Cause, Confidence: a.Confidence, Text: a.Why}
	if a.Endpoint >= 0 {
		ev.Endpoint = p.endpoints[a.Endpoint]
		if former := p.former[a.Endpoint]; len(former) > 0 {
			ev.Endpoint = former[0]
			if a.To == policy.Retired {
				p.former[a.Endpoint] = former[1:]
			}
		}
	}
	switch a.Kind {
	case policy.Transition:
		ev.Kind, ev.From, ev.To = Changed, a.From, a.To
	case policy.OutageBegan:
		ev.Kind = OutageBegan
	case policy.OutageEnded:
		ev.Kind = OutageEnded
	case policy.Canary:
		ev.Kind = Canary
	default:
		return Event{}, false
	}
	return ev, true
}

// examine runs one examination, its controls beside it, and hands over the
// results. Controls matter only if the endpoint itself stays silent. The controls
// outside of the pool are asked by q.
func (p *Pool) examine(ctx context.Context, a policy.Action, q *question) {
	e := p.endpoint(a.Endpoint)
	if p.config.Prober == nil {
		now := time.Now()
		p.examined(e, policy.Examination{Asked: now, At: now, Depth: a.Depth}, nil)
		return
	}
	probes, cancel := context.WithCancel(ctx)
	defer cancel()
	controls := make([]policy.Control, len(a.Controls))
	var wg sync.WaitGroup
	for n, i := range a.Controls {
		wg.Go(func() {
			c := p.endpoint(i)
			controls[n] = policy.Control{Endpoint: i, Examination: p.probe(probes, c, policy.Look{Depth: policy.Greet})}
		})
	}
	look := p.look(a)
	x := p.probe(probes, e, look)
	x.Size = max(x.Size, look.Size)
	if !x.Greeting.NeedsWitness() {
		cancel()
	}
	wg.Wait()
	if a.Outside && x.Greeting.NeedsWitness() {
		controls = append(controls, q.witness())
	}
	if ctx.Err() != nil && x.Greeting == policy.None {
		return // the pool is closing
	}
	p.examined(e, x, controls)
}

// look is what an action asks for, with endpoints for indices.
func (p *Pool) look(a policy.Action) policy.Look {
	look := policy.Look{
		Depth: a.Depth, Size: a.Size, OneWay: a.OneWay, Upward: a.Upward, Tries: a.Tries, Patience: a.Patience, Doubtful: a.Doubtful, Loss: a.Loss,
	}
	for _, s := range a.Views {
		v := policy.Viewpoint{Viewer: p.endpoint(s.Viewer).spec}
		if s.Control != policy.Outside {
			v.Control = p.endpoint(s.Control).spec
		}
		look.Views = append(look.Views, v)
	}
	for _, i := range a.Egress {
		look.Egress = &p.endpoint(i).spec
	}
	return look
}

func (p *Pool) probe(ctx context.Context, e *Endpoint, look policy.Look) policy.Examination {
	x := p.config.Prober.Probe(ctx, e.spec, look)
	if x.RTT > 0 {
		e.connect.add(x.RTT)
	}
	return x
}

func (p *Pool) endpoint(i int) *Endpoint {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.endpoints[i]
}

func (p *Pool) examined(e *Endpoint, x policy.Examination, controls []policy.Control) {
	p.mu.Lock()
	p.hear()
	for _, c := range controls {
		if c.Endpoint != policy.Outside {
			p.regard(p.endpoints[c.Endpoint])
		}
	}
	if !p.stale(e) {
		p.regard(e)
		p.group.Examined(e.index, x, controls)
	}
	p.mu.Unlock()
	p.rouse()
}

func (p *Pool) endWatches() {
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	p.ended = true
	for w := range p.watches {
		w.end()
	}
}
