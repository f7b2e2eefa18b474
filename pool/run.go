package pool

import (
	"context"
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
		actions, next := p.step(now)
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
		pause := lookEvery
		for _, at := range []time.Time{next, movedAt} {
			if !at.IsZero() {
				pause = min(pause, time.Until(at))
			}
		}
		timer.Reset(max(pause, 1))
	}
}

// step advances the group, stores and publishes what has changed, and returns
// what is to be done and when to come back.
func (p *Pool) step(now time.Time) ([]policy.Action, time.Time) {
	p.mu.Lock()
	for _, e := range p.endpoints {
		p.sync(e)
		if e.streams.Load() > 0 {
			p.group.Use(e.index, now)
		}
	}
	actions, next := p.group.Advance(now)
	var events []Event
	for _, a := range actions {
		if ev, ok := p.event(a, now); ok {
			events = append(events, ev)
		}
		if a.Endpoint >= 0 {
			p.dirty[a.Endpoint] = struct{}{}
		}
	}
	clear(p.former)
	for i := range p.dirty {
		e := p.endpoints[i]
		e.state.Store(uint32(p.group.Record(i).State))
	}
	for i, e := range p.endpoints {
		e.listens.Store(p.group.Listens(i))
	}
	p.listens.Store(p.group.Questioned())
	err := p.store() // before the view, so that whom that wakes finds the rows
	if ranked := p.rerank(); ranked || len(events) > 0 {
		p.publish()
	}
	p.mu.Unlock()
	if err != nil {
		p.logger.Error("pool: storing rows", "err", err)
	}
	for _, ev := range events {
		p.logger.Info(ev.String())
	}
	p.emit(events)
	return actions, next
}

func (p *Pool) event(a policy.Action, now time.Time) (Event, bool) {
	ev := Event{At: now, Verdict: a.Verdict, Cause: a.Cause, Text: a.Why}
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
			controls[n] = policy.Control{Endpoint: i, Examination: p.probe(probes, c, policy.Greet)}
		})
	}
	x := p.probe(probes, e, a.Depth)
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

func (p *Pool) probe(ctx context.Context, e *Endpoint, d policy.Depth) policy.Examination {
	x := p.config.Prober.Probe(ctx, e.spec, d)
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
	for _, c := range controls {
		if c.Endpoint != policy.Outside {
			p.sync(p.endpoints[c.Endpoint])
		}
	}
	if !p.stale(e) {
		p.sync(e)
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
