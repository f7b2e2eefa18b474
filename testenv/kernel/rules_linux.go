package kernel

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/kernel/internal/nft"
)

// Check says whether a rule can be carried out: nil, or an [*UnsupportedError].
func (v *Vantage) Check(r blocker.Rule) error {
	t := r.Do.Terms()
	switch {
	case len(r.When.Names) > 0, len(r.When.ExceptNames) > 0:
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
// transaction, so that no packet meets a part of it. What the rules need, lists of
// addresses above all, is made before, and what the old ones had is removed
// afterwards: an address that has left a long list may be taken for one for some
// milliseconds more. Lists are changed by what is new in them. Rules that begin or
// end by their dates do so by a timer.
//
// A rule is about TCP; only drop and reject, for all ports, take every packet.
// The first that acts on a packet decides. If one cannot be carried out, nothing
// changes, and the error is an [*UnsupportedError]. Another error may mean that the
// rules are in force, but that something of the old ones is left.
func (v *Vantage) Rules(set *blocker.RuleSet) error {
	for id, r := range set.All() {
		if err := v.Check(r); err != nil {
			return fmt.Errorf("rule %d: %w", id, err)
		}
		if id > markFrozen {
			return &UnsupportedError{What: fmt.Sprintf("rule %d: more rules than a flow's mark can tell apart", id)}
		}
	}
	return v.change(func() error { return v.enforce(set, time.Now()) })
}

// enforce puts in force what of a set is in force at now, and sets the timer for
// the next change.
func (v *Vantage) enforce(set *blocker.RuleSet, now time.Time) error {
	old, err := v.replace(set, now)
	if err != nil {
		return err
	}
	v.rules = set
	v.arm(now)
	return v.clear(old)
}

// arm sets the timer for the next change after now.
func (v *Vantage) arm(now time.Time) {
	if v.timer != nil {
		v.timer.Stop()
		v.timer = nil
	}
	if next := v.rules.NextChange(now); !next.IsZero() {
		v.timer = time.AfterFunc(max(time.Until(next), 0), func() { v.turn(next) })
	}
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
		v.arm(at) // the next one may succeed
	}
}

// laid is what a rule has in the border: its chains and its sets.
type laid struct {
	id      blocker.RuleID
	serial  int
	program program
	chains  []string
	sets    []string
	list    list
}

func (l *laid) name(what string) string { return fmt.Sprintf("%s%d-%d", what, l.id, l.serial) }

// ahead is what is made ahead of the transaction that uses it.
type ahead struct {
	batch *nft.Batch
	// pending is what the batch makes, made what is there already.
	pending, made laid
}

// replace lets the rules in force at now take the place of those before, and
// returns what there was. After an error there has been no change.
func (v *Vantage) replace(set *blocker.RuleSet, now time.Time) (old map[blocker.RuleID]*laid, err error) {
	a := ahead{batch: nft.New(table)}
	defer func() {
		if err != nil && len(a.made.chains)+len(a.made.sets) > 0 {
			v.stale = append(v.stale, &a.made)
			err = errors.Join(err, v.sweep())
		}
	}()
	var order []*laid
	for id, r := range set.InForce(now) {
		l, err := v.lay(&a, id, r)
		if err != nil {
			return nil, err
		}
		order = append(order, l)
	}
	if err := v.commit(a.batch); err != nil {
		return nil, err
	}
	a.made.add(&a.pending)
	b := nft.New(table)
	for _, s := range sides {
		b.Flush(s.rules)
	}
	next := make(map[blocker.RuleID]*laid, len(order))
	for _, l := range order {
		next[l.id] = l
		for _, s := range sides {
			if dir := l.program.rule.When.Dir; dir == blocker.Both || dir == s.dir {
				l.program.write(b, l, s)
			}
		}
	}
	if err := v.commit(b); err != nil {
		return nil, err
	}
	old, v.laid = v.laid, next
	return old, nil
}

// clear removes what old rules had and those in force have not.
func (v *Vantage) clear(old map[blocker.RuleID]*laid) error {
	var all []error
	for id, was := range old {
		switch is := v.laid[id]; {
		case is == nil || is.serial != was.serial:
			v.stale = append(v.stale, &laid{chains: was.chains, sets: slices.Concat(was.sets, was.list.sets())})
		default:
			used := is.list.sets()
			left := slices.DeleteFunc(was.list.sets(), func(set string) bool { return slices.Contains(used, set) })
			v.stale = append(v.stale, &laid{sets: left})
		}
	}
	for _, l := range v.laid {
		if err := v.withdraw(&l.list); err != nil {
			all = append(all, fmt.Errorf("rule %d lists addresses that it should not: %w", l.id, err))
		}
	}
	return errors.Join(append(all, v.sweep())...)
}

// sweep removes what is stale. What cannot be removed now is tried again with the
// next change.
func (v *Vantage) sweep() error {
	b := nft.New(table)
	for _, l := range v.stale {
		l.remove(b)
	}
	if err := v.commit(b); err != nil {
		return fmt.Errorf("what is no longer used stays: %w", err)
	}
	v.stale = nil
	return nil
}

// lay makes what a rule needs. What it returns is in force when the rules are
// replaced.
func (v *Vantage) lay(a *ahead, id blocker.RuleID, r blocker.Rule) (l *laid, err error) {
	want := r.When.Servers()
	p := program{rule: r, terms: r.Do.Terms(), seed: v.seed(id)}
	var n laid
	if old := v.laid[id]; old != nil && old.program.alike(p) && (old.list.want == nil) == (want == nil) {
		n = *old
		n.program = p
	} else {
		v.serial++
		n = laid{id: id, serial: v.serial, program: p}
		p.prepare(a.batch, &n)
		a.pending.add(&n)
	}
	n.list, err = v.relist(a, n.list, id, want)
	return &n, err
}

func (l *laid) add(o *laid) {
	l.chains = append(l.chains, o.chains...)
	l.sets = append(l.sets, o.sets...)
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
