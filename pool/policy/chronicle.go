package policy

import (
	"net/netip"
	"time"
)

// chronicle enters the time that ends with a step of endpoint i in its almanac,
// and in that of its neighbourhood, before the step is made. It returns what is
// concluded, and says if that is nothing new at this hour.
func (g *Group) chronicle(i int, to State, c Conclusion, now time.Time) Conclusion {
	r := &g.records[i]
	p := g.past(i)
	lost := to == Dead && c.Verdict != Misconfigured
	books := [...]*almanac{&p.days, g.area(r.prefix)}
	for _, a := range books {
		r.enter(a, now)
	}
	if s, ok := p.days.schedule(); ok && lost && s.covers(now) {
		c.Why += "; " + s.String()
	}
	for _, a := range books {
		if lost {
			a.trouble = c.Verdict
		}
		switch {
		case lost && r.State != Dead:
			a.turn(now, true)
		case r.State == Dead && to == Probation:
			a.turn(now, false)
		}
	}
	return c
}

// enter enters the time since the record's latest step.
func (r *Record) enter(a *almanac, now time.Time) {
	switch {
	case r.State == Active && !r.seen.Before(r.Since):
		a.span(r.Since, later(r.seen, r.Since), false)
	case r.State == Dead && r.Verdict != Misconfigured:
		a.span(r.Since, now, true)
	}
}

// area is the almanac of a neighbourhood.
func (g *Group) area(n netip.Prefix) *almanac {
	if g.lore.areas == nil {
		g.lore.areas = make(map[netip.Prefix]*almanac)
	}
	a := g.lore.areas[n]
	if a == nil {
		a = new(almanac)
		g.lore.areas[n] = a
	}
	return a
}

// Schedule is at what time of the day endpoint i is lost again and again, or else
// its neighbourhood is, in half a sentence: "frozen 07:00-23:00 on 5 of the last
// 6 days". It is false if there is no such time, or not enough is known. The hours
// are those of now's location.
func (g *Group) Schedule(i int, now time.Time) (string, bool) {
	if i >= len(g.lore.pasts) || g.lore.pasts[i] == nil {
		return "", false
	}
	r := &g.records[i]
	days := g.past(i).days
	r.enter(&days, now)
	if s, ok := days.schedule(); ok {
		return s.String(), true
	}
	area, ok := g.lore.areas[r.prefix]
	if !ok {
		return "", false
	}
	days = *area
	r.enter(&days, now)
	if s, ok := days.schedule(); ok {
		return r.prefix.String() + " is " + s.String(), true
	}
	return "", false
}
