package policy

import (
	"net/netip"
	"time"
)

const (
	// sampleWait is how long the answer of a sample is waited for before another
	// one is taken: what an examination takes at most.
	sampleWait = 15 * time.Second
	// sampleLasts is how long a neighbourhood is watched after its latest loss.
	sampleLasts = time.Minute
)

// sample is a neighbourhood in which a blocked endpoint was found, or to which
// belief has spread, and in which others serve: one of them is examined, out of
// turn, and the rest only if that one is lost as well. Each that works shows it,
// by traffic if there is any.
type sample struct {
	area  netip.Prefix
	since time.Time
	// carry is true if an answered greeting shows nothing, as flows are what is
	// interfered with.
	carry bool
	// next is when another one may be taken; zero if none was yet.
	next time.Time
}

// suspectAround begins to sample every neighbourhood in use to which belief has
// spread. carry is whether only transfers can show that an endpoint is well.
func (g *Group) suspectAround(carry bool, now time.Time) {
	for _, i := range g.slots {
		if i < 0 || g.records[i].State != Active {
			continue
		}
		r := &g.records[i]
		if alarmOf(g.lore.belief.Around(r.place(), now)) == noAlarm {
			continue
		}
		g.beginSample(r.prefix, carry, now)
	}
}

// beginSample begins to sample a neighbourhood, or begins anew: who has answered
// before the latest loss has shown nothing.
func (g *Group) beginSample(area netip.Prefix, carry bool, now time.Time) {
	if !area.IsValid() {
		return
	}
	for n := range g.lore.samples {
		if s := &g.lore.samples[n]; s.area == area {
			s.since, s.carry = now, carry
			return
		}
	}
	g.lore.samples = append(g.lore.samples, sample{area: area, since: now, carry: carry})
}

// advanceSamples takes the samples that are to be taken, and says when the next
// one may be.
func (g *Group) advanceSamples(now time.Time) (next time.Time) {
	left := g.lore.samples[:0]
	for _, s := range g.lore.samples {
		if g.advanceSample(&s, now) {
			left = append(left, s)
			next = earlier(next, earlier(s.since.Add(sampleLasts), s.next))
		}
	}
	g.lore.samples = left
	return next
}

// advanceSample does what is due in one neighbourhood, and says whether there may
// be more to do.
func (g *Group) advanceSample(s *sample, now time.Time) bool {
	if !now.Before(s.since.Add(sampleLasts)) {
		return false
	}
	shown, open := false, 0
	var place Place
	for _, i := range g.slots {
		if i < 0 || g.records[i].prefix != s.area || g.records[i].State != Active {
			continue
		}
		p := g.past(i)
		switch {
		case p.vouched >= s.since.UnixNano():
			shown = true
		case g.shows(i, s):
			g.vouch(p, &g.records[i], now)
			shown = true
		default:
			open++
			place = g.records[i].place()
		}
	}
	if open == 0 {
		return false
	}
	all := alarmOf(g.lore.belief.Around(place, now)) >= burning
	if !all && shown {
		return false // one was enough
	}
	if !all && now.Before(s.next) {
		return true
	}
	taken := g.takeSamples(s, all, now)
	if taken && !all {
		s.next = now.Add(sampleWait)
	}
	if all {
		s.next = time.Time{}
	}
	return taken || all
}

// shows says whether i has shown that what befell its neighbour does not befall
// it.
func (g *Group) shows(i int, s *sample) bool {
	r := &g.records[i]
	if s.carry {
		return !r.proved.Before(s.since)
	}
	return !r.answered.Before(s.since)
}

// takeSamples has one endpoint, or all, of a neighbourhood examined, unless they
// were since the loss or are being; it says whether there was any.
func (g *Group) takeSamples(s *sample, all bool, now time.Time) bool {
	taken := false
	for _, i := range g.slots {
		if i < 0 || g.records[i].prefix != s.area || g.records[i].State != Active {
			continue
		}
		r, p := &g.records[i], g.past(i)
		if p.vouched >= s.since.UnixNano() || !r.begun.Before(s.since) && !r.doubtful() {
			continue
		}
		if r.examining || r.doubtful() {
			taken = true // its own evidence has it examined
		} else {
			r.sampled = true
			g.examineAt(i, now, Carry)
			taken = true
		}
		if !all {
			return true
		}
	}
	return taken
}
