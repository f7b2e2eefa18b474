package compat

// snowflake is the distributor of the ephemeral world at work.

// serve gives proxies that have no user to the users in the queue: to users behind a
// NAT first, who need proxies that are not; then proxies behind one to users who are
// not; then what is left. The newest proxies go first. It does not know which of them
// are blocked: who gets such a one has had its turn.
func (e *ephemeral) serve() {
	proxies, users := e.free, e.line
	for k := range 2 {
		proxies[k], users[k] = proxies[k][:0], users[k][:0]
	}
	for _, id := range e.open {
		if p := &e.proxies[id]; p.user == never {
			proxies[kind(p.restricted)] = append(proxies[kind(p.restricted)], id)
		}
	}
	for _, u := range e.queue {
		p := &e.people[u]
		if e.Faults == Repaired && p.queued == e.step {
			continue
		}
		p.queued = e.step
		users[kind(p.restricted)] = append(users[kind(p.restricted)], u)
	}
	e.free, e.line = proxies, users
	s := e.luck.distributor.At(uint64(e.step), 0)
	anyone := func(of *[]int32) int32 {
		i, last := s.Below(len(*of)), len(*of)-1
		u := (*of)[i]
		(*of)[i] = (*of)[last]
		*of = (*of)[:last]
		return u
	}
	for _, c := range []struct {
		user, proxy int
		take        func(of *[]int32) int32
	}{{restricted, unrestricted, anyone}, {unrestricted, restricted, anyone}, {unrestricted, unrestricted, newest}} {
		for len(users[c.user]) > 0 && len(proxies[c.proxy]) > 0 {
			u, id := c.take(&users[c.user]), newest(&proxies[c.proxy])
			if !e.proxies[id].blocked {
				e.assign(u, id)
			}
		}
	}
}

const (
	unrestricted = 0
	restricted   = 1
)

func kind(behindNAT bool) int {
	if behindNAT {
		return restricted
	}
	return unrestricted
}

// newest takes the last of a list.
func newest(of *[]int32) int32 {
	last := len(*of) - 1
	id := (*of)[last]
	*of = (*of)[:last]
	return id
}
