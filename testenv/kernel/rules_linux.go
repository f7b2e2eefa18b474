package kernel

import (
	"fmt"
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
	program program
	chains  []string
	sets    []string
	list    list
}

func (l *laid) name(what string) string { return fmt.Sprintf("%s%d-%d", what, l.id, l.serial) }

func (v *Vantage) transact(set *blocker.RuleSet, now time.Time) (err error) {
	b := nft.New(table)
	var order []*laid
	defer func() {
		if err != nil {
			v.abandon(order)
		}
	}()
	for id, r := range set.InForce(now) {
		l, err := v.lay(b, id, r)
		order = append(order, l)
		if err != nil {
			return err
		}
	}
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
	for _, l := range v.stale {
		l.remove(b)
	}
	for id, l := range v.laid {
		if next[id] == nil || next[id].serial != l.serial {
			l.remove(b)
		}
	}
	if err := v.conn.Commit(b); err != nil {
		return err
	}
	v.laid, v.stale = next, nil
	return nil
}

// abandon gives up what has been changed ahead of a transaction that has failed:
// the next one makes it anew.
func (v *Vantage) abandon(order []*laid) {
	for _, l := range order {
		old := v.laid[l.id]
		switch {
		case !l.list.ahead:
		case old != nil && old.serial == l.serial:
			v.stale = append(v.stale, old)
			delete(v.laid, l.id)
		default:
			v.stale = append(v.stale, &laid{sets: l.list.names(l, false)})
		}
	}
}

// lay makes or changes the sets of a rule. What it returns is in force when the
// transaction is.
func (v *Vantage) lay(b *nft.Batch, id blocker.RuleID, r blocker.Rule) (*laid, error) {
	want := r.When.Servers()
	p := program{rule: r, terms: r.Do.Terms(), seed: v.seed(id)}
	old := v.laid[id]
	if old != nil && old.program.alike(p) && (old.list.want == nil) == (want == nil) {
		n := *old
		n.program = p
		return &n, v.relist(b, &n, want)
	}
	v.serial++
	n := &laid{id: id, serial: v.serial, program: p}
	p.prepare(b, n)
	if want == nil {
		return n, nil
	}
	return n, v.enlist(b, n, want)
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
