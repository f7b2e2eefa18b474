package lab

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// cue is something to do at a moment of a run.
type cue struct {
	after time.Duration
	do    func()
}

// play does what the scenario says, each act at its time, and returns at the
// end of the run or of ctx.
func (r *run) play(ctx context.Context) {
	var cues []cue
	for _, a := range r.scenario.Acts {
		at := time.Duration(r.scenario.Clock.Share(a.At) * float64(r.length))
		cues = append(cues, cue{at, func() { cues = r.act(a, at, cues) }})
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		slices.SortStableFunc(cues, func(a, b cue) int { return cmp.Compare(a.after, b.after) })
		next := r.length
		if len(cues) > 0 {
			next = min(next, cues[0].after)
		}
		timer.Reset(time.Until(r.began.Add(next)))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if len(cues) == 0 || cues[0].after >= r.length {
			return
		}
		due := cues[0]
		cues = cues[1:]
		due.do()
	}
}

// act plays one act, and adds what is to be done later because an ISP lags.
//
// What is dropped goes through the world's registry, which the ISPs follow by
// themselves. An order to do something else to a prefix is a rule of its own,
// entered at each ISP after that ISP's lag.
func (r *run) act(a Act, at time.Duration, cues []cue) []cue {
	first := r.vantages[0]
	before, use := first.covered(), first.inUse()
	list, text := a.List, a.text()
	if a.Hunt > 0 {
		list = r.hunt(a.Hunt)
		text = "blocker looks for endpoints, and finds none"
		if len(list) > 0 {
			text = "blocker finds and " + verb(a.Do) + " " + count(len(list), "endpoint")
		}
	}
	r.world.Unblock(a.Strike...)
	if a.Do == blocker.Drop() {
		r.world.Block(list...)
		list = nil
	}
	for _, v := range r.vantages {
		if len(list) == 0 && len(a.Strike) == 0 {
			break
		}
		turn := func() { v.order(list, a.Strike, a.Do) }
		if lag := r.lag(v.plan); lag > 0 {
			cues = append(cues, cue{at + lag, turn})
		} else {
			turn()
		}
	}
	for _, p := range a.Push {
		born, err := r.launch(p.Prefix, p.Endpoints)
		r.born += born
		if err != nil {
			text = err.Error()
		}
		if born > 0 {
			text += fmt.Sprintf(", %d born blocked", born)
		}
	}
	now := time.Now()
	e := Event{At: a.At, Text: text, Good: len(a.Push) > 0 || len(a.List) == 0 && len(a.Strike) > 0}
	for addr := range first.covered() {
		if !before[addr] && len(a.Push) == 0 {
			e.Lost++
			if use[addr] {
				r.in++
			}
		}
	}
	r.events.add(now, e)
	r.look()
	return cues
}

// order enters rules that are not the registry's, and takes them away.
func (v *vantage) order(list, strike []netip.Prefix, do blocker.Action) {
	for _, p := range list {
		if _, listed := v.own[p]; !listed {
			id, err := v.isp.Add(blocker.Rule{When: blocker.When{Prefixes: []netip.Prefix{p}}, Do: do})
			if err != nil {
				panic(err) // the lab's world is in memory, where every rule can be had
			}
			v.own[p] = id
		}
	}
	for _, p := range strike {
		if id, listed := v.own[p]; listed {
			v.isp.Remove(id)
			delete(v.own, p)
		}
	}
}

// spared is how many endpoints a hunt leaves: what a blocker does not see.
const spared = 3

// hunt finds the endpoints that the first ISP's people have connected to most
// lately: what a blocker that watches its border would look at first.
func (r *run) hunt(n int) []netip.Prefix {
	first := r.vantages[0]
	type prey struct {
		addr        netip.Addr
		connections int64
	}
	var found []prey
	for _, p := range r.world.Ledger().Paths {
		if p.ISP != first.plan.Name || first.covers(p.Server.Addr()) {
			continue
		}
		if n := p.Connections - r.seen[p.Server.Addr()]; n > 0 {
			found = append(found, prey{p.Server.Addr(), n})
		}
		r.seen[p.Server.Addr()] = p.Connections
	}
	slices.SortFunc(found, func(a, b prey) int { return cmp.Compare(b.connections, a.connections) })
	var list []netip.Prefix
	for _, f := range found[:max(0, min(n, len(found)-spared))] {
		list = append(list, netip.PrefixFrom(f.addr, f.addr.BitLen()))
	}
	return list
}

// text says what an act is, in a few words.
func (a Act) text() string {
	var parts []string
	if len(a.List) > 0 {
		parts = append(parts, "blocker "+verb(a.Do)+" "+prefixes(a.List))
	}
	if len(a.Strike) > 0 {
		parts = append(parts, "blocker strikes off "+prefixes(a.Strike))
	}
	if len(a.Push) > 0 {
		n := 0
		var clouds []string
		for _, p := range a.Push {
			n += p.Endpoints
			clouds = append(clouds, p.Cloud)
		}
		parts = append(parts, count(n, "fresh endpoint")+", "+list(clouds))
	}
	return cmp.Or(a.Note, strings.Join(parts, "; "))
}

// prefixes names the first and counts the rest.
func prefixes(ps []netip.Prefix) string {
	if len(ps) == 1 {
		return ps[0].String()
	}
	return fmt.Sprintf("%s and %d more", ps[0], len(ps)-1)
}

// verb is what the blocker does to prefixes: they are all on its list, but not
// all are dropped.
func verb(do blocker.Action) string {
	if do == blocker.Drop() {
		return "lists"
	}
	word, _, _ := strings.Cut(do.String(), " ")
	return word + "s"
}
