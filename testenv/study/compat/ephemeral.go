package compat

import "context"

// ephemeral is the state of a run of the ephemeral world.
type ephemeral struct {
	*World
	luck luck
	log  *log
	step int32

	people    []person
	proxies   []volunteer
	present   []int32 // people
	open      []int32 // proxies that are present, the newest last
	departed  []int32 // people who may return
	abandoned []int32 // people whose proxy has left, in the last step
	waiting   waiting
	queue     []int32
	known     []int32    // what the censor's agents hold
	free      [2][]int32 // proxies without a user: the others, and those behind a NAT
	line      [2][]int32 // the queue, likewise

	crowd  head // present
	served head
}

// person is a user. Its proxies are a list, the latest first.
type person struct {
	agent, restricted bool
	leaves            int32 // at the end of which step
	visits            uint32
	proxies           int32 // the first of its list, or never
	live              int32 // of them not blocked
	struck            int32 // the last step in which the greedy censor counted it, or never
	queued            int32 // the last step in which it was queued, or never
}

// volunteer is a proxy.
type volunteer struct {
	restricted, blocked bool
	user                int32 // or never
	next, previous      int32 // in its user's list
	created, leaves     int32
	disclosed           int32
}

// ephemeral plays the ephemeral world.
func (w *World) ephemeral(ctx context.Context, seed uint64) (*log, error) {
	e := &ephemeral{World: w, luck: newLuck(seed), log: newLog(w.Steps)}
	users, proxies := expected(w.Steps, w.Late.Users*(1-w.Return)), expected(w.Steps, w.Late.Proxies)
	e.people, e.proxies = make([]person, 0, users), make([]volunteer, 0, proxies)
	e.waiting = newWaiting(users)
	for step := range w.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e.step = int32(step)
		rates := w.rates(step)
		for range arrivals(e.luck.proxies, step, rates.Proxies) {
			e.addProxy()
		}
		e.queue = append(e.waiting.unserved(e.people, e.queue[:0]), e.abandoned...)
		e.abandoned = e.abandoned[:0]
		for i := range arrivals(e.luck.users, step, rates.Users) {
			e.queue = append(e.queue, e.arrive(i, rates.Agents))
		}
		for _, p := range e.chosen() {
			e.block(p)
		}
		e.serve()
		e.write()
		e.peopleLeave()
		e.proxiesLeave()
	}
	for _, id := range e.open {
		e.outOfSight(&e.proxies[id])
	}
	return e.log, nil
}

func (e *ephemeral) addProxy() {
	id := int32(len(e.proxies))
	stay := e.luck.proxiesStay.At(uint64(id), 0)
	e.proxies = append(e.proxies, volunteer{
		restricted: e.luck.places.Unit(uint64(id), 0) < e.ProxiesRestricted,
		user:       never, next: never, previous: never, disclosed: never,
		created: e.step, leaves: e.until(stay.Failures(e.ProxiesLeave)),
	})
	e.open = append(e.open, id)
}

// expected is room for arrivals of a rate, so that arrays need not grow by copying;
// but no more than there can be a use for at first.
func expected(steps int, rate float64) int {
	return int(min(1.02*rate*float64(steps)+100, 1<<20))
}

// until is the step at whose end somebody leaves who stays for so many more.
func (e *ephemeral) until(steps int) int32 { return e.step + int32(min(steps, 1<<30)) }

// arrive has the nth of a step arrive, and returns who it is: somebody new, or somebody
// who has left.
func (e *ephemeral) arrive(n int, agents float64) int32 {
	s := e.luck.returns.At(uint64(e.step), uint32(n))
	u := int32(len(e.people))
	if s.Happens(e.Return) && len(e.departed) > 0 {
		i, last := s.Below(len(e.departed)), len(e.departed)-1
		u = e.departed[i]
		e.departed[i] = e.departed[last]
		e.departed = e.departed[:last]
	} else {
		e.people = append(e.people, person{
			agent:      e.luck.agents.Unit(uint64(u), 0) < agents,
			restricted: e.luck.userPlaces.Unit(uint64(u), 0) < e.UsersRestricted,
			proxies:    never, struck: never, queued: never,
		})
		e.waiting.grow(len(e.people))
	}
	p := &e.people[u]
	stay := e.luck.usersStay.At(uint64(u), p.visits)
	p.visits++
	p.leaves = e.until(stay.Failures(e.UsersLeave))
	e.present = append(e.present, u)
	e.crowd.add(p.agent, 1)
	e.waiting.open(u, e.step)
	return u
}

// chosen are the proxies that the censor blocks in this step, among those that its
// agents hold.
func (e *ephemeral) chosen() []int32 {
	if e.Censor == Null {
		return nil
	}
	known := e.known[:0]
	for _, id := range e.open {
		if p := &e.proxies[id]; !p.blocked && p.user != never && e.people[p.user].agent {
			known = append(known, id)
		}
	}
	e.known = known
	s := e.luck.censor.At(uint64(e.step), 0)
	switch e.Censor {
	case Aggressive:
		return known
	case Conservative:
		return some(&s, known, int(e.Fraction*float64(len(known))))
	case Greedy:
		// This distributor's users have no standing that they could lose: what cuts
		// off anybody is worth it.
		list := known[:0]
		for _, id := range some(&s, known, len(known)) {
			if u := &e.people[e.proxies[id].user]; u.struck != e.step {
				u.struck = e.step
				list = append(list, id)
			}
		}
		return list
	case Null:
	}
	return nil
}

// block takes a proxy from its user, who is queued even if it has another.
func (e *ephemeral) block(id int32) {
	p := &e.proxies[id]
	p.blocked = true
	e.log.burnt(e.step-p.created, e.step-p.disclosed)
	u := &e.people[p.user]
	u.live--
	if u.live == 0 {
		e.served.add(u.agent, -1)
		e.waiting.openUnlessOpen(p.user, e.step)
	}
	if u.live == 0 || e.Faults == Published {
		e.queue = append(e.queue, p.user)
	}
}

func (e *ephemeral) assign(u, id int32) {
	p, user := &e.proxies[id], &e.people[u]
	p.user, p.next, p.previous = u, user.proxies, never
	if user.proxies != never {
		e.proxies[user.proxies].previous = id
	}
	user.proxies = id
	if user.live == 0 {
		e.served.add(user.agent, 1)
	}
	user.live++
	if p.disclosed == never {
		p.disclosed = e.step
	}
}

// release takes a proxy out of its user's list.
func (e *ephemeral) release(id int32) {
	p := &e.proxies[id]
	user := &e.people[p.user]
	if p.previous == never {
		user.proxies = p.next
	} else {
		e.proxies[p.previous].next = p.next
	}
	if p.next != never {
		e.proxies[p.next].previous = p.previous
	}
	if !p.blocked {
		user.live--
		if user.live == 0 {
			e.served.add(user.agent, -1)
		}
	}
	p.user = never
}

// write logs the step, and ends the waits that have come to an end.
func (e *ephemeral) write() {
	blocked := 0
	for _, id := range e.open {
		if e.proxies[id].blocked {
			blocked++
		}
	}
	e.log.step(e.crowd, e.served, len(e.open), blocked)
	e.waiting.close(e.people, e.step, e.log)
}

func (e *ephemeral) peopleLeave() {
	stay := e.present[:0]
	for _, u := range e.present {
		p := &e.people[u]
		if p.leaves > e.step {
			stay = append(stay, u)
			continue
		}
		for p.proxies != never {
			e.release(p.proxies)
		}
		e.crowd.add(p.agent, -1)
		e.waiting.leave(u)
		e.departed = append(e.departed, u)
	}
	e.present = stay
}

func (e *ephemeral) proxiesLeave() {
	stay := e.open[:0]
	for _, id := range e.open {
		p := &e.proxies[id]
		if p.leaves > e.step {
			stay = append(stay, id)
			continue
		}
		e.outOfSight(p)
		u := p.user
		if u == never {
			continue
		}
		e.release(id)
		if e.Faults == Published {
			e.abandoned = append(e.abandoned, u)
		} else if e.people[u].live == 0 {
			e.waiting.openUnlessOpen(u, e.step)
		}
	}
	e.open = stay
}

// outOfSight ends a proxy's life as far as it can be seen.
func (e *ephemeral) outOfSight(p *volunteer) {
	if p.disclosed != never && !p.blocked {
		e.log.disclosed.Censor(int(e.step - p.disclosed))
	}
}
