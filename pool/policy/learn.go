package policy

import (
	"net/netip"
	"time"
)

// lore is what a group has learned of prefixes beyond its records: what to
// believe of them, which are being sampled, and when they were alive.
type lore struct {
	belief  Belief
	pasts   []*past // by endpoint, nil for one that was never used
	areas   map[netip.Prefix]*almanac
	samples []sample
}

// past is what is remembered of one endpoint over all its states.
type past struct {
	addr netip.Addr
	// blamed is when it was counted as blocked, in nanoseconds since 1970, and 0
	// if it is not; vouched when it was last counted as alive against a doubt.
	blamed, vouched int64
	// where is what was blamed with it, nil if it is not: its provider may be another
	// by now.
	where *Place
	days  almanac
}

// place is where a record's endpoint is.
func (r *Record) place() Place {
	p := Place{Addr: r.addr}
	if r.known {
		p.Provider = r.provider
	}
	return p
}

// interfered says whether the verdict is a blocker's doing, which neighbours may
// share. What is down, or cannot work, is alone with that.
func (v Verdict) interfered() bool { return v == Blocked || v == Frozen || v == Throttled }

// past is that of endpoint i. That of another address is not its own.
func (g *Group) past(i int) *past {
	for len(g.lore.pasts) <= i {
		g.lore.pasts = append(g.lore.pasts, nil)
	}
	p := g.lore.pasts[i]
	if p == nil || p.addr != g.records[i].addr {
		p = &past{addr: g.records[i].addr}
		g.lore.pasts[i] = p
	}
	return p
}

// learn takes a conclusion about endpoint i into account before it is drawn, and
// the step to another state that comes with it, if any. It returns the conclusion
// with what is known of the hour.
func (g *Group) learn(i int, to State, c Conclusion, now time.Time) Conclusion {
	r := &g.records[i]
	if r.State == Reserve && to != Dead || r.State == Retired {
		return c // nothing was seen of it
	}
	p := g.past(i)
	c = g.chronicle(i, to, c, now)
	switch {
	case to == Dead:
		g.blame(p, r, c.Verdict, now)
	case r.State != Active && (to == Active || to == Reserve) && c.Verdict == Alive:
		g.vouch(p, r, now)
	}
	return c
}

// blame counts a condemned endpoint: as blocked if it is, else not at all.
func (g *Group) blame(p *past, r *Record, v Verdict, now time.Time) {
	g.withdraw(p, now)
	if !v.interfered() {
		return
	}
	g.lore.belief.Blocked(r.place(), now)
	place := r.place()
	p.blamed, p.where = now.UnixNano(), &place
	g.suspectAround(v != Blocked || r.transfer, now)
}

// vouch counts an endpoint that was in doubt, or blocked, and is alive.
func (g *Group) vouch(p *past, r *Record, now time.Time) {
	g.withdraw(p, now)
	g.lore.belief.Alive(r.place(), now)
	p.vouched = now.UnixNano()
}

// withdraw takes back that the endpoint was blocked: each is counted as what was
// last concluded of it.
func (g *Group) withdraw(p *past, now time.Time) {
	if p.where != nil {
		g.lore.belief.Withdraw(*p.where, time.Unix(0, p.blamed), now)
		p.blamed, p.where = 0, nil
	}
}

// Suspected says whether endpoint i is likely to be interfered with, for what
// has lately become of its neighbours ([Belief], [Suspicion]).
func (g *Group) Suspected(i int, now time.Time) bool {
	return g.lore.belief.stirred(now) && g.lore.belief.At(g.records[i].place(), now) >= Suspicion
}

// alarm is how much speaks against the use of endpoint i: no less than against
// its neighbourhood.
func (g *Group) alarm(i int, now time.Time) alarm {
	if !g.lore.belief.stirred(now) {
		return noAlarm
	}
	place := g.records[i].place()
	return alarmOf(max(g.lore.belief.Around(place, now), g.lore.belief.At(place, now)))
}
