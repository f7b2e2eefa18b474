package kernel

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// Check says whether a rule can be carried out: nil, or an [*UnsupportedError].
func (v *Vantage) Check(r blocker.Rule) error {
	t := r.Do.Terms()
	switch {
	case len(r.When.Names) > 0:
		return &UnsupportedError{What: "rule for names: nftables sees packets, not names"}
	case t.Window > 0:
		return &UnsupportedError{What: fmt.Sprintf("%v: a rule lingers for a name, and nftables sees none", r.Do)}
	case t.Bytes > maxFreeze:
		return &UnsupportedError{What: fmt.Sprintf("%v: more than %d cannot be counted", r.Do, maxFreeze)}
	case t.Packets > maxFreezePackets:
		return &UnsupportedError{What: fmt.Sprintf("%v: more than %d cannot be counted", r.Do, maxFreezePackets)}
	case t.Rate > maxRate:
		return &UnsupportedError{What: fmt.Sprintf("%v: more than %.0f B/s cannot be policed", r.Do, float64(maxRate))}
	}
	return nil
}

// Rules puts a set of rules in force, in the place of the one before: in one
// transaction, so that no packet meets a part of it. Lists of addresses are
// changed by what is new in them. A list that grows by more than a transaction
// takes, some ten thousand prefixes without privileges in the machine's own
// namespace and a hundred thousand with them, is filled before. Rules that begin or
// end by their dates do so by a timer.
//
// A rule is about TCP; only drop and reject, for all ports, take every packet.
// The first that acts on a packet decides. If one cannot be carried out, nothing
// changes, and the error is an [*UnsupportedError].
func (v *Vantage) Rules(set *blocker.RuleSet) error {
	for id, r := range set.All() {
		if err := v.Check(r); err != nil {
			return fmt.Errorf("rule %d: %w", id, err)
		}
		if id > markFrozen {
			return &UnsupportedError{What: fmt.Sprintf("rule %d: more rules than a flow's mark can tell apart", id)}
		}
	}
	return v.change(func() error {
		if err := v.enforce(set, time.Now()); err != nil {
			return err
		}
		v.rules = set
		return nil
	})
}

// enforce makes the chains for the rules in force at now, and sets the timer for
// the next change.
func (v *Vantage) enforce(set *blocker.RuleSet, now time.Time) error {
	if err := v.transact(set, now); err != nil {
		return err
	}
	if v.timer != nil {
		v.timer.Stop()
		v.timer = nil
	}
	if next := set.NextChange(now); !next.IsZero() {
		v.timer = time.AfterFunc(max(time.Until(next), 0), func() { v.turn(next) })
	}
	return nil
}

// turn is the moment at which a dated rule begins or ends.
func (v *Vantage) turn(at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return
	}
	if now := time.Now(); at.Before(now) {
		at = now
	}
	if err := v.enforce(v.rules, at); err != nil {
		v.net.fail(fmt.Errorf("rules of %v at %v: %w", v.host.Addr(), at, err))
	}
}

// laid is what a rule has in the border: its chains and its sets.
type laid struct {
	id      blocker.RuleID
	serial  int
	listed  *blocker.PrefixSet // as its sets have them; nil: any address
	chains  []string
	sets    []string
	program program
}

func (l *laid) name(what string) string { return fmt.Sprintf("%s%d-%d", what, l.id, l.serial) }

func (l *laid) addressSet(f family) string { return l.name("addresses") + "-" + f.name }

func (v *Vantage) transact(set *blocker.RuleSet, now time.Time) error {
	b := nft.New(table)
	next := make(map[blocker.RuleID]*laid)
	var order []*laid
	for id, r := range set.InForce(now) {
		l, err := v.lay(b, id, r)
		if err != nil {
			return err
		}
		next[id] = l
		order = append(order, l)
	}
	for _, s := range sides {
		b.Flush(s.rules)
	}
	for _, l := range order {
		for _, s := range sides {
			if l.program.rule.When.Dir == blocker.Both || l.program.rule.When.Dir == s.dir {
				l.program.write(b, l, s)
			}
		}
	}
	gone := slices.Clone(v.stale)
	for id, l := range v.laid {
		if next[id] != nil && next[id].serial == l.serial {
			continue
		}
		gone = append(gone, l)
	}
	for _, l := range gone {
		l.remove(b)
	}
	if err := v.conn.Commit(b); err != nil {
		return err
	}
	maps.DeleteFunc(v.laid, func(blocker.RuleID, *laid) bool { return true })
	maps.Copy(v.laid, next)
	v.stale = nil
	return nil
}

// lay makes or changes the sets of a rule.
func (v *Vantage) lay(b *nft.Batch, id blocker.RuleID, r blocker.Rule) (*laid, error) {
	want := r.When.Servers()
	p := program{rule: r, terms: r.Do.Terms(), seed: v.seed(id)}
	old := v.laid[id]
	if old != nil && old.program.alike(p) && (old.listed == nil) == (want == nil) {
		n := *old
		n.listed, n.program = want, p
		return &n, v.fill(b, old, old.listed, want)
	}
	v.serial++
	n := &laid{id: id, serial: v.serial, listed: want, program: p}
	if want != nil {
		if err := v.create(b, n); err != nil {
			return nil, err
		}
	}
	p.prepare(b, n)
	return n, nil
}

// create makes the sets of addresses of a rule, full.
func (v *Vantage) create(b *nft.Batch, l *laid) error {
	for _, f := range families {
		n := l.addressSet(f)
		b.Set(nft.Set{Name: n, Fields: []int{f.length}, Interval: true})
		l.sets = append(l.sets, n)
	}
	_, added := (*blocker.PrefixSet)(nil).Diff(l.listed)
	if v.fits(b, len(added)) {
		insert(b, l, added)
		return nil
	}
	first := nft.New(table)
	for _, f := range families {
		first.Set(nft.Set{Name: l.addressSet(f), Fields: []int{f.length}, Interval: true})
	}
	if err := v.conn.Commit(first); err != nil {
		return err
	}
	if err := v.pour(l, added, insert); err != nil {
		v.stale = append(v.stale, l)
		return err
	}
	return nil
}

// fill changes the sets of addresses by what is new.
func (v *Vantage) fill(b *nft.Batch, l *laid, from, to *blocker.PrefixSet) error {
	if from == nil || to == nil {
		return nil
	}
	gone, added := from.Diff(to)
	if v.fits(b, len(gone)+len(added)) {
		withdraw(b, l, gone)
		insert(b, l, added)
		return nil
	}
	err := v.pour(l, gone, withdraw)
	if err == nil {
		err = v.pour(l, added, insert)
	}
	if err != nil {
		// Nobody knows what they hold now: the next change makes new ones.
		v.stale = append(v.stale, l)
		delete(v.laid, l.id)
	}
	return err
}

// remove takes out all that a rule has.
func (l *laid) remove(b *nft.Batch) {
	for _, c := range l.chains {
		b.Flush(c)
	}
	for _, c := range l.chains {
		b.DeleteChain(c)
	}
	for _, s := range l.sets {
		b.DeleteSet(s)
	}
}

// seed makes the draws of a rule its own.
func (v *Vantage) seed(id blocker.RuleID) uint32 {
	x := v.net.seed ^ uint64(id)*0x9e3779b97f4a7c15 ^ uint64(v.index)<<48
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return uint32(x>>32) | 1
}
