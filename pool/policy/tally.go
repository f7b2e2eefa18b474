package policy

import (
	"net/netip"
	"time"
)

// tally counts what serves and what was lost by neighbourhood and provider, and
// files the reserve that can be used, so that the best of it is found without
// looking at every endpoint.
type tally struct {
	prefixes  map[netip.Prefix]*prefixTally
	providers map[string]*providerTally
	blocks    map[block]int // index in piles
	piles     []pile
	free      int // endpoints in piles
}

type (
	prefixTally   struct{ lost, used int }
	providerTally struct{ used int }
	// block is the endpoints of one provider in one neighbourhood.
	block struct {
		prefix   *prefixTally
		provider *providerTally
	}
)

// pile is the reserve of one block that can be used, by kind.
type pile struct {
	block
	free  [kinds][]int
	place Place // the block's
	// alarm is what was believed of each kind when the best was last looked for.
	alarm [kinds]alarm
}

// any says whether there is anything in the pile.
func (p *pile) any() bool {
	for k := range p.free {
		if len(p.free[k]) > 0 {
			return true
		}
	}
	return false
}

// kind is what makes some of a block's reserve a better choice than others.
type kind uint8

const (
	exposed  kind = 1 << iota // its address has been shown already
	doubtful                  // it did not answer when it was asked last
	kinds    = 1 << iota
)

// role is what a record counts as.
type role uint8

const (
	noRole role = iota
	lost        // it serves nobody, and may share its fate with neighbours
	serving
	free // it can be used
)

// filing is how a record is counted, and where it is filed.
type filing struct {
	role role
	kind kind
	pile int
	at   int // in the pile
}

// enrol finds the pile of a new record. Providers that are unknown are taken to
// differ from each other, so they have none of a tally in common, and need none.
func (t *tally) enrol(r *Record, provider string) {
	if t.prefixes == nil {
		t.prefixes = make(map[netip.Prefix]*prefixTally)
		t.providers = make(map[string]*providerTally)
		t.blocks = make(map[block]int)
	}
	b := block{t.prefixes[r.prefix], t.providers[provider]}
	if b.prefix == nil {
		b.prefix = new(prefixTally)
		t.prefixes[r.prefix] = b.prefix
	}
	if b.provider == nil {
		b.provider = new(providerTally)
		t.providers[provider] = b.provider
	}
	n, ok := t.blocks[b]
	if !ok {
		n = len(t.piles)
		t.blocks[b] = n
		t.piles = append(t.piles, pile{block: b, place: r.place()})
	}
	r.filing.pile = n
}

// role says as what the record is to be counted.
func (r *Record) role() (role, kind) {
	switch {
	case r.State == Active:
		return serving, 0
	case r.State == Dead || r.State == Suspect:
		if r.Verdict != Misconfigured && r.Verdict != NoEgress {
			return lost, 0
		}
	case r.State == Reserve && !r.examining:
		var k kind
		if r.Exposed {
			k |= exposed
		}
		if r.doubtful() {
			k |= doubtful // a canary that was silent
		}
		return free, k
	}
	return noRole, 0
}

// file counts again whatever something has happened to.
func (g *Group) file() {
	for _, i := range g.agenda.unfiled {
		r := &g.records[i]
		r.mark.unfiled = false
		if role, kind := r.role(); role != r.filing.role || kind != r.filing.kind {
			g.count(i, -1)
			r.filing.role, r.filing.kind = role, kind
			g.count(i, 1)
		}
	}
	g.agenda.unfiled = g.agenda.unfiled[:0]
}

// count adds record i to the tally, or takes it out.
func (g *Group) count(i, by int) {
	f := &g.records[i].filing
	p := &g.tally.piles[f.pile]
	switch f.role {
	case lost:
		p.prefix.lost += by
	case serving:
		p.prefix.used += by
		if g.records[i].known {
			p.provider.used += by
		}
	case free:
		pile := &p.free[f.kind]
		if by > 0 {
			f.at = len(*pile)
			*pile = append(*pile, i)
			g.tally.free++
			return
		}
		last := (*pile)[len(*pile)-1]
		(*pile)[f.at] = last
		g.records[last].filing.at = f.at
		*pile = (*pile)[:len(*pile)-1]
		g.tally.free--
	case noRole:
	}
}

// best is the reserve to use next: where least is believed to be burning; of
// those in a neighbourhood and of a provider that serve as little as possible
// now and have lost nothing, so that one listed prefix takes as few endpoints as
// possible; one that is exposed already before a fresh one; then by lot. It is -1
// if there is none.
func (g *Group) best(now time.Time) int {
	g.file()
	if g.tally.free == 0 {
		return -1
	}
	stirred := g.lore.belief.stirred(now)
	for n := range g.tally.piles {
		p := &g.tally.piles[n]
		p.alarm = [kinds]alarm{}
		if stirred && p.any() {
			around := alarmOf(g.lore.belief.Around(p.place, now))
			for k := range p.alarm {
				p.alarm[k] = around
			}
		}
	}
	for {
		p, k, lot := g.tally.draw(g.draw())
		if p == nil {
			return -1
		}
		i, a := p.free[k][lot], noAlarm
		if stirred {
			i, a = g.calmest(p.free[k], lot, p.alarm[k], now)
		}
		if a <= p.alarm[k] {
			return i
		}
		p.alarm[k] = a // all of it lie where more is burning than around them
	}
}

// calmest is the first of a pile, from a place in it on, that is in no more alarm
// than its neighbourhood, or else the one in the least.
func (g *Group) calmest(free []int, from int, around alarm, now time.Time) (best int, least alarm) {
	best, least = free[from], burnt+1
	for n := range free {
		i := free[(from+n)%len(free)]
		if a := g.alarm(i, now); a < least {
			best, least = i, a
		}
		if least <= around {
			break
		}
	}
	return best, least
}

// draw picks one of those that cost least by lot: its pile, which is nil if there
// is none, and where it is in that.
func (t *tally) draw(lots uint64) (*pile, kind, int) {
	equals := 0
	var least cost
	for n := range t.piles {
		p := &t.piles[n]
		for k := range kind(kinds) {
			if len(p.free[k]) == 0 {
				continue
			}
			if c := p.cost(k); equals == 0 || c.less(least) {
				equals, least = len(p.free[k]), c
			} else if c == least {
				equals += len(p.free[k])
			}
		}
	}
	lot := int(lots % uint64(max(equals, 1)))
	for n := range t.piles {
		p := &t.piles[n]
		for k := range kind(kinds) {
			if len(p.free[k]) == 0 || p.cost(k) != least {
				continue
			}
			if lot < len(p.free[k]) {
				return p, k, lot
			}
			lot -= len(p.free[k])
		}
	}
	return nil, 0, 0
}

// cost is what speaks against the use of an endpoint: the alarm first.
type cost struct {
	alarm alarm
	other int
}

func (c cost) less(d cost) bool {
	return c.alarm < d.alarm || c.alarm == d.alarm && c.other < d.other
}

// cost is what speaks against the use of a kind of reserve of this pile.
func (p *pile) cost(k kind) cost {
	c := 3*p.prefix.lost + 2*p.prefix.used + p.provider.used
	if k&exposed == 0 {
		c++
	}
	if k&doubtful != 0 {
		c += 3
	}
	return cost{p.alarm[k], c}
}
