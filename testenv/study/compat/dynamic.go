package compat

import (
	"context"
	"math"
)

// never is no step.
const never = -1

// dynamic is the state of a run of the dynamic world: users and proxies are indices
// into its arrays.
type dynamic struct {
	*World
	luck luck
	log  *log
	step int32

	// Of users.
	agent    []bool
	location []float64
	use      []int32 // steps of holding proxies that are blocked now
	requests []int32 // proxies given
	waits    []int32 // since when, or never
	members  []member

	// Of proxies.
	proxies []proxy
	held    []holding // all that was ever given
	open    []int32   // proxies with room, not blocked
	shown   []int32   // proxies that an agent holds, not blocked

	present, served head
	blocked         int
	backlog         backlog
	fresh           []int32 // who was served in the step of their arrival, at the last step
	matching        matching
}

// proxy is one of the dynamic world. Those that hold it are a list in held, the latest
// first.
type proxy struct {
	location           float64
	created, disclosed int32
	users, room        int32
	holders            int32
	shown, blocked     bool
}

// holding is a proxy's user since a step, and the next one.
type holding struct{ user, since, next int32 }

// dynamic plays the dynamic world.
func (w *World) dynamic(ctx context.Context, seed uint64) (*log, error) {
	d := &dynamic{World: w, luck: newLuck(seed), log: newLog(w.Steps)}
	for step := range w.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d.step = int32(step)
		rates := w.rates(step)
		for range arrivals(d.luck.proxies, step, rates.Proxies) {
			d.addProxy()
		}
		for range arrivals(d.luck.users, step, rates.Users) {
			d.addUser(rates.Agents)
		}
		for _, p := range d.chosen() {
			d.block(p)
		}
		d.serve()
		d.log.step(d.present, d.served, len(d.proxies), d.blocked)
	}
	for _, p := range d.proxies {
		if p.disclosed != never && !p.blocked {
			d.log.disclosed.Censor(int(d.step - p.disclosed))
		}
	}
	return d.log, nil
}

func (d *dynamic) addProxy() {
	id := int32(len(d.proxies))
	d.proxies = append(d.proxies, proxy{
		location: d.luck.places.Unit(uint64(id), 0), created: d.step, disclosed: never, room: int32(d.Capacity), holders: never,
	})
	d.open = append(d.open, id)
}

func (d *dynamic) addUser(agents float64) {
	id := int32(len(d.agent))
	agent := d.luck.agents.Unit(uint64(id), 0) < agents
	d.agent = append(d.agent, agent)
	d.location = append(d.location, d.luck.userPlaces.Unit(uint64(id), 0))
	d.use = append(d.use, 0)
	d.requests = append(d.requests, 0)
	d.waits = append(d.waits, d.step)
	d.members = append(d.members, member{})
	d.present.add(agent, 1)
	d.enqueue(id)
}

// enqueue has a user wait for a proxy. While it waits its value does not change, since
// all that it was given is blocked.
func (d *dynamic) enqueue(u int32) {
	use, w := float64(d.use[u]), &d.Weights
	counted := use
	if d.agent[u] {
		counted = use * d.AgentUse
	}
	// A user waits if and only if every proxy that it was given is blocked.
	blocked := float64(d.requests[u])
	value := w.Use*min(counted, d.UseLimit) - w.Requests*float64(d.requests[u]) - w.BlockedUse*use - w.Blocked*blocked
	d.backlog.add(d.members, u, value)
}

// assign gives a proxy to a user.
func (d *dynamic) assign(u, id int32) {
	p := &d.proxies[id]
	p.users++
	p.room--
	if p.disclosed == never {
		p.disclosed = d.step
	}
	d.held = append(d.held, holding{user: u, since: d.step, next: p.holders})
	p.holders = int32(len(d.held) - 1)
	if d.agent[u] && !p.shown {
		p.shown = true
		d.shown = append(d.shown, id)
	}
	d.requests[u]++
	d.served.add(d.agent[u], 1)
	// What is not a step long is looked at again at the next one.
	if wait := d.step - d.waits[u]; wait >= 1 {
		d.log.waited(d.agent[u], wait)
		d.waits[u] = never
	} else {
		d.fresh = append(d.fresh, u)
	}
}

// block takes a proxy from all who hold it.
func (d *dynamic) block(id int32) {
	p := &d.proxies[id]
	p.blocked = true
	d.blocked++
	d.log.burnt(d.step-p.created, d.step-p.disclosed)
	for h := p.holders; h != never; h = d.held[h].next {
		u := d.held[h].user
		d.use[u] += d.step - d.held[h].since
		d.served.add(d.agent[u], -1)
		if d.waits[u] == never {
			d.waits[u] = d.step
		}
		d.enqueue(u)
	}
}

// serve matches those who wait with the proxies that have room.
func (d *dynamic) serve() {
	// Those who were served in the step of their arrival and still are.
	before := d.fresh
	d.fresh = nil
	for _, u := range before {
		if !d.backlog.has(d.members, u) {
			d.log.waited(d.agent[u], d.step-d.waits[u])
			d.waits[u] = never
		}
	}
	open := d.open[:0]
	for _, id := range d.open {
		if p := &d.proxies[id]; !p.blocked && p.room > 0 {
			open = append(open, id)
		}
	}
	d.open = open
	if len(open) == 0 {
		return
	}
	d.flag()
	d.matching.run(d)
	for i, id := range open {
		for _, s := range d.matching.seats[i].taken {
			d.backlog.remove(d.members, s.user)
			d.assign(s.user, id)
		}
	}
}

// flag shuts out for ever those whose value for any of the open proxies is too low.
func (d *dynamic) flag() {
	low, high := math.Inf(1), math.Inf(-1)
	for _, id := range d.open {
		at := d.proxies[id].location
		low, high = min(low, at), max(high, at)
	}
	d.backlog.eachBelow(d.Flagged+d.Weights.Distance, func(u int32, value float64) {
		at := d.location[u]
		if value-d.Weights.Distance*max(math.Abs(at-low), math.Abs(at-high)) < d.Flagged {
			d.backlog.remove(d.members, u)
			d.members[u].class = flagged
		}
	})
}
