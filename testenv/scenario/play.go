package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Act is one thing that happens in a story, at its time. One of Rule, Entry,
// Event, Eviction and Orders is set.
type Act struct {
	// At is the story's date.
	At time.Time
	// Rule is one that comes into force, or goes out of it if Over is true, at the
	// ISP of this name, or at all if that is empty. There is nothing to be done
	// about it: rules know their time.
	Rule *Rule
	ISP  string
	// Entry is one of the registry's.
	Entry *Entry
	// Event is one of the events. If Over is true, what it did for a time comes to
	// its end.
	Event *Event
	// Over marks an end.
	Over bool
	// Eviction is one whose notice is over.
	Eviction *Eviction
	// Orders are a strategy's.
	Orders []blocker.Change
}

// Deed is what came of an act.
type Deed struct {
	// Listed and Struck are the prefixes that came onto the list and went off it.
	Listed, Struck []netip.Prefix
	// Launched are fresh endpoints, Retired those that the service withdraws,
	// Released those that a cloud took back. Stopped are those whose processes
	// were stopped or halted, Started those whose processes run again.
	Launched, Retired, Released, Stopped, Started []*testenv.Host
	// Err is what of it could not be done.
	Err error
}

// cue is something to do at a time of the world's.
type cue struct {
	at time.Time
	do func() error
}

// Play lets happen what has a date, each at its time, and returns nil at the end
// of the story. It returns ctx's error if ctx ends before, and an act's if it
// cannot be done. It can be called once.
func (t *Stage) Play(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		t.strategise(ctx)
	}()
	defer func() {
		cancel()
		<-watched
	}()
	end := t.Began.Add(t.Length)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next, do := t.next(end)
		// What is due already waits for a moment as well: timers that are due are
		// trouble for the race detector in a bubble.
		timer.Reset(max(time.Until(next), 1))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.wake:
			t.put(do)
			continue
		case <-timer.C:
		}
		if do == nil {
			return nil
		}
		if err := do.do(); err != nil {
			return fmt.Errorf("scenario %s: %w", t.Scenario.Name, err)
		}
	}
}

// next takes the first cue before the end, and tells its time; or the end's.
func (t *Stage) next(end time.Time) (time.Time, *cue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.cues) == 0 || t.cues[0].at.After(end) {
		return end, nil
	}
	first := t.cues[0]
	t.cues = t.cues[1:]
	return first.at, &first
}

// put puts a cue that was taken back, before all others of its time.
func (t *Stage) put(c *cue) {
	if c == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cues = slices.Insert(t.cues, 0, *c)
	slices.SortStableFunc(t.cues, func(a, b cue) int { return a.at.Compare(b.at) })
}

// later adds a cue, after all others of its time.
func (t *Stage) later(at time.Time, do func() error) {
	t.mu.Lock()
	t.cues = append(t.cues, cue{at, do})
	slices.SortStableFunc(t.cues, func(a, b cue) int { return a.at.Compare(b.at) })
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// script makes the cues of what the scenario has dates for. Of one date, rules
// come before the registry and the registry before the events, and each in the
// file's order.
func (t *Stage) script() {
	acts := t.turns(nil, "", t.Scenario.Rules)
	for _, isp := range t.Scenario.ISPs {
		acts = t.turns(acts, isp.Name, isp.Rules)
	}
	for i := range t.Scenario.Registry {
		e := &t.Scenario.Registry[i]
		acts = append(acts, Act{At: e.At, Entry: e})
	}
	for i := range t.Scenario.Events {
		e := &t.Scenario.Events[i]
		acts = append(acts, Act{At: e.At, Event: e})
		if e.For > 0 {
			acts = append(acts, Act{At: e.At.Add(e.For), Event: e, Over: true})
		}
		for j := range e.Evict {
			acts = append(acts, Act{At: e.At.Add(e.Evict[j].Notice), Eviction: &e.Evict[j]})
		}
	}
	slices.SortStableFunc(acts, func(a, b Act) int { return a.At.Compare(b.At) })
	for _, a := range acts {
		t.cues = append(t.cues, cue{t.Time(a.At), func() error { return t.perform(a) }})
	}
}

// turns appends what there is to say of rules.
func (t *Stage) turns(acts []Act, isp string, rules []Rule) []Act {
	for i := range rules {
		for _, s := range t.Scenario.spells(rules[i].When) {
			acts = append(acts, Act{At: s.from, Rule: &rules[i], ISP: isp})
			if s.until.Before(t.Scenario.Ends()) {
				acts = append(acts, Act{At: s.until, Rule: &rules[i], ISP: isp, Over: true})
			}
		}
	}
	return acts
}

// perform lets an act happen.
func (t *Stage) perform(a Act) error {
	var deed Deed
	do := func() Deed {
		deed = t.do(a)
		return deed
	}
	if t.Around != nil {
		t.Around(a, do)
	} else {
		do()
	}
	return deed.Err
}

func (t *Stage) do(a Act) Deed {
	switch {
	case a.Rule != nil:
		return Deed{}
	case a.Entry != nil:
		return t.enter(a.Entry)
	case a.Event != nil && a.Over:
		return t.end(a.Event)
	case a.Event != nil:
		return t.happen(a.Event)
	case a.Eviction != nil:
		return Deed{Released: t.release(a.Eviction.Cloud)}
	}
	return t.order(a.Orders)
}

// enter does what an entry of the registry says.
//
// What an entry has a way of its own for is no matter of the registry, which each
// ISP applies in its one way, but a rule at each ISP, after that ISP's lag.
func (t *Stage) enter(e *Entry) (d Deed) {
	d.Listed, d.Struck = e.Block, e.Unblock
	if e.Hunt > 0 {
		d.Listed = t.hunt(e.Hunt)
	}
	if len(d.Struck) > 0 {
		t.World.Unblock(d.Struck...)
	}
	apply := d.Listed
	if e.Do == nil {
		if len(d.Listed) > 0 {
			t.World.Block(d.Listed...)
		}
		apply = nil
	}
	if len(apply) == 0 && len(d.Struck) == 0 {
		return d
	}
	for i := range t.ISPs {
		turn := func() error { return t.rule(i, apply, d.Struck, e.Do) }
		if lag := scaled(t.Scenario.ISPs[i].Lag, t.speed); lag > 0 {
			t.later(time.Now().Add(lag), turn)
		} else {
			d.Err = errors.Join(d.Err, turn())
		}
	}
	return d
}

// rule enters at an ISP rules that are not the registry's, and takes them away.
func (t *Stage) rule(i int, list, strike []netip.Prefix, do *blocker.Action) error {
	own := t.own[i]
	for _, p := range list {
		if _, listed := own[p]; listed {
			continue
		}
		id, err := t.ISPs[i].Add(blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{p}}, Do: *do})
		if err != nil {
			return err
		}
		own[p] = id
	}
	for _, p := range strike {
		if id, listed := own[p]; listed {
			t.ISPs[i].Remove(id)
			delete(own, p)
		}
	}
	return nil
}

// spared is how many endpoints a hunt leaves: what a blocker does not see.
const spared = 3

// hunt finds the endpoints that the first ISP's people have connected to most
// lately: what a blocker that watches its border would look at first.
func (t *Stage) hunt(n int) []netip.Prefix {
	first := t.ISPs[0]
	type prey struct {
		addr        netip.Addr
		connections int64
	}
	var found []prey
	rules, now := first.Rules(), time.Now()
	there := make(map[netip.Addr]bool)
	for _, h := range t.Endpoints() {
		there[h.Addr()] = true
	}
	for _, p := range t.World.Ledger().Paths {
		if p.ISP != first.Name() || !there[p.Server.Addr()] || rules.Covers(p.Server.Addr(), now) {
			continue
		}
		if n := p.Connections - t.hunted[p.Server.Addr()]; n > 0 {
			found = append(found, prey{p.Server.Addr(), n})
		}
		t.hunted[p.Server.Addr()] = p.Connections
	}
	slices.SortFunc(found, func(a, b prey) int {
		return cmp.Or(cmp.Compare(b.connections, a.connections), a.addr.Compare(b.addr))
	})
	var list []netip.Prefix
	for _, f := range found[:max(0, min(n, len(found)-spared))] {
		list = append(list, netip.PrefixFrom(f.addr, f.addr.BitLen()))
	}
	return list
}

// order does what a strategy says.
func (t *Stage) order(changes []blocker.Change) (d Deed) {
	t.World.Enter(changes...)
	for _, c := range changes {
		if c.Lift {
			d.Struck = append(d.Struck, c.Prefixes...)
		} else {
			d.Listed = append(d.Listed, c.Prefixes...)
		}
	}
	return d
}

// strategise lets the strategy look and order, until ctx ends. What it orders
// happens as an act of its own, at the order's date.
func (t *Stage) strategise(ctx context.Context) {
	plan := t.Scenario.Strategy
	s := t.strategy(plan)
	if s == nil {
		return
	}
	// Nothing else ends it but ctx, and an interval that is none.
	_ = t.World.Play(ctx, overheard{s, t.ordered}, max(scaled(cmp.Or(plan.Every, time.Hour), t.speed), time.Millisecond))
}

// strategy is the scenario's, by the world's time.
func (t *Stage) strategy(plan Strategy) blocker.Strategy {
	switch e, r := plan.Escalation, plan.Reaction; {
	case e != nil:
		s := blocker.Escalation{Wanted: e.Look, Attention: e.Attention, Budget: e.Budget, For: scaled(e.For, t.speed)}
		for _, l := range e.Levels {
			s.Levels = append(s.Levels, blocker.Level{Hits: l.Hits, Bits: l.Bits})
		}
		return s
	case r != nil:
		s := blocker.Reaction{
			Wanted: r.Look, Attention: r.Attention,
			Gather: scaled(r.Gather, t.speed), Spread: scaled(r.Within, t.speed), For: scaled(r.For, t.speed),
		}
		if s.Spread < moment {
			s.Spread = 0
		}
		for _, d := range r.Delays {
			s.Delays = append(s.Delays, scaled(d, t.speed))
		}
		return s
	}
	return nil
}

// moment is how little of the world's time is none: what a story spreads over
// less happens at once.
const moment = 100 * time.Millisecond

// overheard is a strategy whose orders are given to somebody else.
type overheard struct {
	blocker.Strategy

	heard func([]blocker.Change)
}

// Step implements [blocker.Strategy].
func (o overheard) Step(seen []blocker.Observation, now time.Time, draws *rand.Rand) (blocker.Strategy, []blocker.Change) {
	next, orders := o.Strategy.Step(seen, now, draws)
	o.heard(orders)
	return overheard{next, o.heard}, nil
}

// ordered makes cues of a strategy's orders. What is ordered for one moment, at
// whatever time, is one act.
func (t *Stage) ordered(orders []blocker.Change) {
	for _, c := range orders {
		at := c.At
		t.mu.Lock()
		_, known := t.orders[at]
		t.orders[at] = append(t.orders[at], c)
		t.mu.Unlock()
		if known {
			continue
		}
		t.later(at, func() error {
			t.mu.Lock()
			due := t.orders[at]
			delete(t.orders, at)
			t.mu.Unlock()
			return t.perform(Act{At: t.Date(at), Orders: due})
		})
	}
}
