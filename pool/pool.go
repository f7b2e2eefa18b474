package pool

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-memdb"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// ErrDuplicate is returned by [Pool.Add] for an endpoint that is already there.
var ErrDuplicate = errors.New("endpoint is in the pool already")

// Pool is a set of endpoints and what is known of them. Make it with New, fill
// it with Add, and keep Run going while it is in use. All methods are safe for
// concurrent use.
type Pool struct {
	config   Config
	selector policy.Selector
	logger   *slog.Logger
	db       *memdb.MemDB
	born     time.Time // what endpoints count their nanoseconds from; 0 is never

	// keeps is true if the selector's order hangs on the client and on the slots'
	// shares and round-trip times alone, so that it can be remembered.
	keeps   bool
	view    atomic.Pointer[view]
	listens atomic.Bool // an outage is in question: every answer counts at once
	wake    chan struct{}
	moves   moves

	// turns counts the leases where that matters. Each lease writes to it, so it
	// has a cache line of its own.
	_     [64]byte
	turns atomic.Uint64
	_     [64]byte

	inbox  inbox
	writes sync.Mutex // guards writing to db; taken before mu

	mu        sync.Mutex // guards what follows, and writing to view
	group     *policy.Group
	endpoints []*Endpoint
	byName    map[string]*Endpoint
	bad       []*Endpoint // in any order
	regarded  []*Endpoint // to which something has happened in this step
	answers   []*Endpoint // scratch of hear
	// former are the handles, by index, of endpoints that were retired and added
	// again since Run last looked: what happened until then is told of them.
	former map[int][]*Endpoint

	watchMu sync.Mutex
	watches map[*Watch]struct{}
	ended   bool // Run has returned
}

// New makes an empty pool. It starts nothing. It fails if the configuration is
// not valid.
func New(c Config) (*Pool, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	group, err := policy.NewGroup(c.limits(), c.Seed)
	if err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	db, err := memdb.NewMemDB(schema())
	if err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	p := &Pool{
		config:   c,
		selector: c.Selector,
		logger:   c.Logger,
		db:       db,
		born:     time.Now().Add(-1),
		group:    group,
		byName:   make(map[string]*Endpoint),
		wake:     make(chan struct{}, 1),
		former:   make(map[int][]*Endpoint),
		watches:  make(map[*Watch]struct{}),
	}
	if p.selector == nil {
		p.selector = policy.Sticky
	}
	p.keeps = p.selector == policy.Sticky || p.selector == policy.LeastLatency
	if p.logger == nil {
		p.logger = slog.New(slog.DiscardHandler)
	}
	p.view.Store(newView(len(group.Slots())))
	return p, nil
}

// Add takes endpoints into the reserve; the best of them are put to use when
// Run next looks, at once if it runs. One that was retired is taken in again
// under a fresh handle, and it is remembered if its address was exposed. Specs
// that cannot be used are left out, and all of their errors are returned, joined.
func (p *Pool) Add(specs ...policy.Spec) error {
	added, errs := p.enlist(specs)
	for rows := range slices.Chunk(added, batch) {
		errs = append(errs, p.write(rows))
	}
	p.rouse()
	return errors.Join(errs...)
}

// enlist adds all specs in one step, so that the best of them can be chosen from
// all, and returns the indexes of those that were not there.
func (p *Pool) enlist(specs []policy.Spec) (added []int, errs []error) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range specs {
		name := s.Name()
		old := p.byName[name]
		if old != nil && p.group.Record(old.index).State != policy.Retired {
			errs = append(errs, fmt.Errorf("%s: %w", name, ErrDuplicate))
			continue
		}
		e := &Endpoint{pool: p, spec: s, name: name, prefix: policy.Neighbourhood(s.Addr)}
		e.listens.Store(true)
		e.slot.Store(-1)
		if old == nil {
			e.index = p.group.Add(s, now)
			p.endpoints = append(p.endpoints, e)
		} else {
			p.restore(e, old, now)
		}
		p.byName[name] = e
		added = append(added, e.index)
	}
	return added, errs
}

// restore has e take the place of a retired handle. The lock is held.
func (p *Pool) restore(e, old *Endpoint, now time.Time) {
	e.index = old.index
	p.group.Restore(e.index, e.spec, now)
	p.endpoints[e.index] = e
	p.judge(old, notBad)
	if old.State() != policy.Retired {
		p.former[e.index] = append(p.former[e.index], old)
		old.state.Store(uint32(policy.Retired))
	}
	old.listens.Store(false)
}

// stale says whether a handle was retired and its endpoint has another one now:
// what is seen of it counts no more. The lock is held.
func (p *Pool) stale(e *Endpoint) bool { return p.endpoints[e.index] != e }

// Endpoint finds a member by its name, nil if there is none.
func (p *Pool) Endpoint(name string) *Endpoint {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byName[name]
}

// Endpoints is a snapshot of all rows, sorted by name. The rows are shared: do
// not change them.
func (p *Pool) Endpoints() []*Row {
	return p.rows(indexID)
}

// InState is a snapshot of the rows in one state, sorted by name.
func (p *Pool) InState(s policy.State) []*Row {
	return p.rows(indexState, s)
}

func (p *Pool) rows(index string, args ...any) []*Row {
	it, err := p.db.Txn(false).Get(tableEndpoints, index, args...)
	if err != nil {
		// Only a wrong index name or argument type can do this.
		panic(fmt.Sprintf("pool: reading %s by %s: %v", tableEndpoints, index, err))
	}
	var rows []*Row
	for obj := it.Next(); obj != nil; obj = it.Next() {
		rows = append(rows, obj.(*Row))
	}
	return rows
}

// Outage is true while no endpoint answers and our own network is to blame.
func (p *Pool) Outage() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.group.Outage()
}

// Retire takes an endpoint out, until it is added again; its open streams are left
// to end. It reports whether there was one of that name.
func (p *Pool) Retire(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.byName[name]
	if !ok {
		return false
	}
	p.group.Retire(e.index, time.Now())
	p.regard(e)
	p.rouse()
	return true
}

// sync tells the group of the endpoint's latest answer. The lock is held.
func (p *Pool) sync(e *Endpoint) {
	if asked := e.answered.Load(); asked > e.synced {
		e.synced = asked
		p.group.Answered(e.index, p.born.Add(time.Duration(asked)), p.born.Add(time.Duration(e.seen.Load())))
	}
}

// rouse has Run look now.
func (p *Pool) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// countMove counts a client that is sent elsewhere than before.
func (p *Pool) countMove() {
	if p.moves.moved.Add(1) == 1 {
		p.rouse()
	}
}
