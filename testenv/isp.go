package testenv

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// ISPConfig describes an ISP.
type ISPConfig struct {
	// Latency is one way, from its customers to its border. See World.Omitted.
	Latency time.Duration
	// Loss is the share of segments that get lost in each direction, 0 to 1,
	// each independently, between its customers and its border. For bursts, for
	// one direction only, and to change it, see Line.
	Loss float64
	// Lag is how long it takes to apply a change of the registry.
	Lag time.Duration
	// Apply is what it does to addresses that the registry lists. The zero
	// Action drops.
	Apply blocker.Action
	// Users is how many customers it has, for weighing.
	Users int
}

// ISP is a network whose customers dial out through a border with rules. One
// machine in it is the vantage of the programs under test.
type ISP struct {
	w       *World
	name    string
	config  ISPConfig
	prefix  netip.Prefix
	number  int
	vantage vantage
	cut     atomic.Bool
	rules   atomic.Pointer[blocker.RuleSet]
	residue blocker.Residue
	line    Line
	portal  atomic.Pointer[Portal]
	books   books

	mu     sync.Mutex // serialises changes of rules
	orders []order
	listed blocker.RuleID
}

// ISP adds an ISP to the world. Its machines have addresses in 100.64.0.0/10.
func (w *World) ISP(name string, c ISPConfig) *ISP {
	w.mu.Lock()
	n := w.vantages
	w.vantages++
	prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(64 + n/256), byte(n), 0}), 24)
	w.mu.Unlock()
	i := &ISP{w: w, name: name, number: n, config: c, prefix: prefix}
	v, err := w.on.vantage(i)
	if err != nil {
		panic(fmt.Errorf("testenv: isp %s: %w", name, err))
	}
	i.vantage, i.line = v, Line{w, v.line()}
	if c.Loss > 0 {
		i.line.Lose(memnet.Loss{Share: c.Loss}, memnet.Loss{Share: c.Loss})
	}
	if w.players.Load() > 0 {
		w.trouble(v.sights(true))
	}
	w.mu.Lock()
	w.isps = append(w.isps, i)
	changes := slices.Clone(w.registry.Changes())
	w.mu.Unlock()
	w.schedule(i, changes)
	return i
}

// Name is the ISP's name.
func (i *ISP) Name() string { return i.name }

// Users is how many customers it has.
func (i *ISP) Users() int { return i.config.Users }

// Addr is the address of the vantage, from which DialContext dials.
func (i *ISP) Addr() netip.Addr { return i.vantage.Addr() }

// Line is the ISP's own network, between its customers and its border: make it
// lose, or longer, unsteady, narrow, on top of what ISPConfig says. Up is from
// the customers, who share what it does. Nobody means it, and the blocker sees
// nothing of what is lost on the way up.
func (i *ISP) Line() *Line { return &i.line }

// DialContext connects from this ISP, as a program in it would. Loopback
// addresses lead to listeners of the same vantage (see Listen), everything else
// across the border. The network must be "tcp", "tcp4" or "tcp6". A destination
// can be dialled by name; that is what a blocker hopes for, and the ledger
// notes it.
func (i *ISP) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := i.w.resolve(network, address)
	// On a kernel the border tells, of programs as well.
	if err != nil || i.w.backend == Memory && !i.local(to.Addr()) && !i.w.isCloudHost(to.Addr()) {
		i.books.direct(i.name, address, time.Now())
	}
	if err != nil {
		return nil, err
	}
	return i.vantage.Dial(ctx, to)
}

// Listen announces on the vantage, where a program under test can serve its
// clients. The address is "127.0.0.1:1080", say, for clients that dial the same
// from this ISP, or ":1080" for the vantage's own address as well; port 0
// chooses one.
func (i *ISP) Listen(network, address string) (net.Listener, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: &net.AddrError{Err: "invalid port", Addr: address}}
	}
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.IsLoopback() {
		return i.vantage.ListenLoopback(uint16(port))
	}
	return i.vantage.Listen(uint16(port))
}

// Start starts a program on the vantage, as cmd.Start does: what it dials
// crosses the border, its loopback is the one of Listen. Backend Kernel only.
func (i *ISP) Start(cmd *exec.Cmd) error { return i.vantage.Start(cmd) }

func (i *ISP) local(a netip.Addr) bool { return a.IsLoopback() || i.prefix.Contains(a) }

// Add adds a rule, after those that are there. The first rule that acts on a
// packet decides. Flows under way are subject to it from their next packet on.
// In memory it never fails; on a kernel the error is errors.ErrUnsupported for
// what packets do not show, as names.
func (i *ISP) Add(r blocker.Rule) (blocker.RuleID, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.vantage.check(r); err != nil {
		return 0, fmt.Errorf("isp %s: %w", i.name, err)
	}
	rules, id := i.rules.Load().With(r)
	if err := i.publish(rules); err != nil {
		return 0, err
	}
	i.note(id, r)
	return id, nil
}

// Remove removes a rule. What it has killed stays dead; what it has merely
// silenced goes on.
func (i *ISP) Remove(id blocker.RuleID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.publish(i.rules.Load().Without(id)); err != nil {
		i.w.trouble(err)
		return
	}
	i.strike(id)
}

// Replace puts the given rules in the place of all that were added. What
// applies the registry stays, behind them. It fails as Add does, and then
// changes nothing.
func (i *ISP) Replace(rules []blocker.Rule) ([]blocker.RuleID, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range rules {
		if err := i.vantage.check(r); err != nil {
			return nil, fmt.Errorf("isp %s: %w", i.name, err)
		}
	}
	set, ids := i.rules.Load().Replacing(rules, i.listed)
	if err := i.publish(set); err != nil {
		return nil, err
	}
	for n := range i.orders {
		if i.orders[n].id != i.listed {
			i.strike(i.orders[n].id)
		}
	}
	for n, id := range ids {
		i.note(id, rules[n])
	}
	return ids, nil
}

// Rules is the set in force.
func (i *ISP) Rules() *blocker.RuleSet { return i.rules.Load() }

// Cut takes the ISP's network down, with silence both ways at the border. It is
// nobody's blocking: the ledger books it as an outage.
func (i *ISP) Cut() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sever(true)
}

// Restore ends a Cut.
func (i *ISP) Restore() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sever(false)
}

// sever cuts the network off, or ends it, and books what has been done. The
// lock is held.
func (i *ISP) sever(on bool) {
	if i.cut.Load() == on {
		return
	}
	now := time.Now()
	if err := i.vantage.cut(on); err != nil {
		i.w.trouble(fmt.Errorf("isp %s: %w", i.name, err))
		return
	}
	i.cut.Store(on)
	if on {
		i.books.begins(Outage{ISP: i.name, From: now})
	} else {
		i.books.ends(false, time.Now())
	}
}

func (i *ISP) publish(r *blocker.RuleSet) error {
	if err := i.vantage.enforce(r); err != nil {
		return fmt.Errorf("isp %s: %w", i.name, err)
	}
	i.rules.Store(r)
	i.w.log.Info("rules changed", "isp", i.name, "rules", r.Len(), "generation", r.Generation())
	return nil
}

// order is a rule's time in force, for the ledger: from added to ended, as far
// as its cycle is on.
type order struct {
	id           blocker.RuleID
	set          *blocker.PrefixSet
	added, ended time.Time
	cycle        blocker.Cycle
}

// strikes is the first moment at or after t at which the order is in force, and
// whether there is one.
func (o *order) strikes(t time.Time) (time.Time, bool) {
	w := blocker.When{From: o.added, Until: o.ended, Cycle: o.cycle}
	t = w.FirstInForce(t)
	return t, !t.IsZero()
}

func (i *ISP) note(id blocker.RuleID, r blocker.Rule) {
	if len(r.When.Prefixes) == 0 && r.When.Set == nil {
		return
	}
	o := order{
		id: id, set: r.When.Set.With(r.When.Prefixes...),
		added: time.Now(), ended: r.When.Until, cycle: r.When.Cycle,
	}
	if r.When.From.After(o.added) {
		o.added = r.When.From
	}
	i.orders = append(i.orders, o)
}

func (i *ISP) strike(id blocker.RuleID) {
	now := time.Now()
	for n := range i.orders {
		if o := &i.orders[n]; o.id == id && (o.ended.IsZero() || now.Before(o.ended)) {
			o.ended = now
		}
	}
}
