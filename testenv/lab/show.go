package lab

import (
	"context"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// How often the display gets a state, and the ledger is looked at.
const (
	showEvery = 250 * time.Millisecond
	lookEvery = time.Second
)

// showOn shows states until ctx ends, and weighs meanwhile what the ISPs that
// lag have come to block.
func (r *run) showOn(ctx context.Context) {
	tick := time.NewTicker(showEvery)
	defer tick.Stop()
	looked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, v := range r.vantages {
				v.weigh(now)
			}
			if now.Sub(looked) >= lookEvery {
				looked = now
				r.look()
			}
			r.events.settle(now, settleTime)
			r.show()
		}
	}
}

// look reads the ledger.
func (r *run) look() { r.harm.look(r.world.Ledger(), r.date()) }

// show hands the display a state.
func (r *run) show() {
	if r.display != nil {
		r.display.Show(r.state())
	}
}

// state is the picture of this moment.
func (r *run) state() State {
	now := time.Now()
	s := State{
		Title: r.scenario.Title, Date: r.date(), Layout: layoutOf(r.scenario.Lasts),
		Elapsed: min(now.Sub(r.began), r.length), Length: r.length,
		Port: r.vantages[0].listener.Addr().String(), Site: r.site.names[0],
	}
	for _, v := range r.vantages {
		s.ISPs = append(s.ISPs, v.tally.state(v.plan.Name, now))
	}
	for _, c := range r.scenario.Clouds {
		s.Pool = append(s.Pool, ProviderState{Name: c.Name})
	}
	for _, row := range r.vantages[0].pool.Endpoints() {
		i := slices.IndexFunc(s.Pool, func(p ProviderState) bool { return p.Name == row.Provider })
		if i < 0 {
			continue
		}
		switch p := &s.Pool[i]; row.State {
		case policy.Active:
			p.Active++
		case policy.Suspect:
			p.Suspect++
		case policy.Reserve:
			p.Reserve++
		case policy.Retired:
			// It is not the service's any more.
		default:
			p.Dead++
		}
	}
	r.harm.state(&s)
	s.Events = r.events.latest()
	return s
}

// note writes an event into the diary.
func (r *run) note(now time.Time, e Event) {
	e.Layout = layoutOf(r.scenario.Lasts)
	r.events.add(now, e)
}

// watch writes into the diary what the first ISP's relay does about the acts,
// until ctx ends.
func (r *run) watch(ctx context.Context) {
	events := r.vantages[0].pool.Watch()
	defer events.Close()
	for {
		e, err := events.Next(ctx)
		if err != nil {
			return
		}
		switch e.Kind {
		case pool.Moved:
			r.events.moved(e.At, e.N)
		case pool.OutageBegan:
			r.note(e.At, Event{At: r.date(), Text: "relay: nobody answers, so requests wait"})
		case pool.OutageEnded:
			r.note(e.At, Event{At: r.date(), Text: "relay: " + e.Endpoint.Name() + " answers, requests go on", Good: true})
		case pool.Changed, pool.Canary, pool.Missed:
		}
	}
}
