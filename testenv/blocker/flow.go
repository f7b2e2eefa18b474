package blocker

import (
	"net/netip"
	"time"
)

// Flow is what the border remembers of one TCP connection. The caller makes
// one at the first packet and shows it every packet in order. A Flow is not
// safe for concurrent use.
type Flow struct {
	// Client is who opened the connection, from inside the ISP; Server is the
	// far end, which rules name.
	Client, Server netip.AddrPort
	// Seed decides the flow's draws against the rules' probabilities.
	Seed uint64

	considered bool
	generation uint64
	changes    time.Time // when a rule next comes into force or goes out of it; may be zero
	concerns   []concern
	passed     [Down + 1]int64
	segments   [Down + 1]int64 // packets with payload, as the wire would have them
	look       *look
}

// concern is one rule that reaches the flow, with what the flow has done under
// it.
type concern struct {
	rule *compiled
	// named is false while a rule for names waits for the flow to show one.
	named bool
	// exempt is true once the flow has shown a name that the rule leaves alone.
	exempt bool
	// residual is true if the rule strikes for what an earlier flow has shown.
	residual bool
	buckets  [Down + 1]bucket
}

// bucket is a token bucket, in bytes.
type bucket struct {
	tokens float64
	filled time.Time
}

// Decide says what happens to the next packet under the given rules. The
// residue may be nil if no rule lingers.
func (f *Flow) Decide(rules *RuleSet, residue *Residue, p Packet, now time.Time) Decision {
	if !f.considered || f.generation != rules.Generation() || f.dated(now) {
		f.consider(rules, residue, now)
	}
	if len(f.concerns) == 0 {
		f.pass(p.Dir, p.Size)
		return Decision{}
	}
	if f.look != nil && p.Dir == Up && p.Size > 0 {
		f.learn(p)
	}
	d := f.judge(p, now)
	switch d.Act {
	case Forward:
		f.pass(p.Dir, p.Size)
	default:
		f.pass(p.Dir, d.Pass)
		f.linger(residue, d.Rule, p, now)
	}
	return d
}

// pass counts what is let through.
func (f *Flow) pass(d Direction, size int) {
	f.passed[d] += int64(size)
	f.segments[d] += int64(size+segment-1) / segment
}

// Concerned reports whether any rule reached the flow when it last looked.
func (f *Flow) Concerned() bool { return len(f.concerns) > 0 }

// Passed is how many payload bytes have been let through in a direction, or in
// both together, retransmissions included.
func (f *Flow) Passed(d Direction) int64 {
	if d == Both {
		return f.passed[Up] + f.passed[Down]
	}
	return f.passed[d]
}

func (f *Flow) dated(now time.Time) bool {
	return !f.changes.IsZero() && !now.Before(f.changes)
}

// consider finds the rules that reach the flow, keeping its state under those
// that did before.
func (f *Flow) consider(rules *RuleSet, residue *Residue, now time.Time) {
	first := !f.considered
	before := f.concerns
	f.considered, f.generation, f.concerns = true, rules.Generation(), nil
	f.changes = time.Time{}
	if rules == nil {
		return
	}
	f.changes = rules.nextChange(now)
	for _, c := range rules.rules {
		if !c.inForce(now) || !c.reaches(f.Server) || !c.drawn(f.Seed) {
			continue
		}
		n := concern{rule: c, named: c.names == nil}
		for i := range before {
			if before[i].rule.id == c.id {
				n.buckets, n.residual = before[i].buckets, before[i].residual
				n.named = n.named || before[i].named && before[i].rule.names != nil
			}
		}
		if first && rules.linger && !n.named {
			n.residual = residue.holds(c.id, f.Client.Addr(), f.Server, now)
			n.named = n.residual
		}
		if !n.named || c.exempt != nil {
			if f.look == nil {
				f.look = new(look)
			}
			n.see(f.look)
		}
		f.concerns = append(f.concerns, n)
	}
}

// learn reads names from the next bytes that the client sends.
func (f *Flow) learn(p Packet) {
	if !f.look.feed(p.Offset, p.Payload, p.Size) {
		return
	}
	for i := range f.concerns {
		f.concerns[i].see(f.look)
	}
}

// see takes in the names that the flow has shown.
func (c *concern) see(l *look) {
	c.named = c.named || l.shows(c.rule.names)
	c.exempt = c.exempt || l.shows(c.rule.exempt)
}

// holds reports whether the rule concerns a packet.
func (c *concern) holds(p Packet) bool {
	return c.named && (!c.exempt || c.residual) && c.rule.rule.When.Dir.covers(p.Dir)
}

// judge asks the rules in their order.
func (f *Flow) judge(p Packet, now time.Time) Decision {
	for i := range f.concerns {
		c := &f.concerns[i]
		if !c.holds(p) {
			continue
		}
		if d := f.apply(c, p, now); d.Act != Forward {
			d.Rule = c.rule.id
			return d
		}
	}
	return Decision{}
}

func (f *Flow) apply(c *concern, p Packet, now time.Time) Decision {
	do := &c.rule.rule.Do
	switch do.kind {
	case reset:
		return Decision{Act: Forge}
	case reject:
		return Decision{Act: Refuse}
	case freeze:
		return f.freeze(do, p)
	case police:
		return c.buckets[p.Dir].police(do, p.Size, now)
	case drop:
	}
	return Decision{Act: Discard}
}

// freeze splits the packet that crosses the limit.
func (f *Flow) freeze(do *Action, p Packet) Decision {
	if p.Kind == Syn || p.Kind == SynAck {
		return Decision{}
	}
	left := do.bytes - f.Passed(do.count)
	if do.packets > 0 {
		sent := f.segments[do.count]
		if do.count == Both {
			sent = f.segments[Up] + f.segments[Down]
		}
		left = (do.packets - sent) * segment
	}
	switch {
	case left <= 0:
		return Decision{Act: Discard}
	case int64(p.Size) > left && do.count.covers(p.Dir):
		return Decision{Act: Discard, Pass: int(left)}
	}
	return Decision{}
}

func (b *bucket) police(do *Action, size int, now time.Time) Decision {
	depth := do.burst()
	if b.filled.IsZero() {
		b.tokens = depth
	} else if d := now.Sub(b.filled); d > 0 {
		b.tokens = min(depth, b.tokens+do.rate*d.Seconds())
	}
	b.filled = now
	pass := min(size, int(b.tokens))
	b.tokens -= float64(pass)
	if pass < size {
		return Decision{Act: Discard, Pass: pass}
	}
	return Decision{}
}

// linger opens or prolongs a rule's window for whom it has struck. It is the client
// who attempts; what the server sends yet is none of that.
func (f *Flow) linger(residue *Residue, id RuleID, p Packet, now time.Time) {
	if residue == nil || p.Dir != Up {
		return
	}
	for i := range f.concerns {
		if c := f.concerns[i].rule; c.id == id && c.rule.Do.window > 0 && (c.rule.Do.renews || !f.concerns[i].residual) {
			residue.mark(id, f.Client.Addr(), f.Server, now.Add(c.rule.Do.window))
		}
	}
}
