package pool

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// inboxSize is how many reports wait for Run at most. Whoever comes with one
// more hands all of them to the group himself.
const inboxSize = 1 << 14

// inbox is where reports wait until Run has time for them, so that a request
// that reports trouble never waits for the pool's lock.
type inbox struct {
	mu      sync.Mutex // held for as long as it takes to append
	reports []report
	spare   []report

	// answered are the endpoints that have answered since they were last looked
	// at, a stack linked by Endpoint.below.
	answered atomic.Pointer[Endpoint]
}

type report struct {
	endpoint *Endpoint
	evidence policy.Evidence
}

// put adds a report, and says whether there is room for more.
func (b *inbox) put(r report) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reports = append(b.reports, r)
	return len(b.reports) < inboxSize
}

// take is all reports, in order. They are valid until the next call.
func (b *inbox) take() []report {
	b.mu.Lock()
	defer b.mu.Unlock()
	rs := b.reports
	b.reports, b.spare = b.spare[:0], rs
	return rs
}

// push notes that e has answered.
func (b *inbox) push(e *Endpoint) {
	if e.waiting.Load() || !e.waiting.CompareAndSwap(false, true) {
		return // it is there already
	}
	for {
		top := b.answered.Load()
		e.below = top
		if b.answered.CompareAndSwap(top, e) {
			return
		}
	}
}

// pop is the endpoints that have answered, by index.
func (b *inbox) pop(into []*Endpoint) []*Endpoint {
	for e := b.answered.Swap(nil); e != nil; {
		below := e.below
		e.below = nil
		e.waiting.Store(false) // from here on it may be pushed anew
		into = append(into, e)
		e = below
	}
	slices.SortFunc(into, func(a, b *Endpoint) int { return cmp.Compare(a.index, b.index) })
	return into
}

// report hands trouble, and answers that matter now, to Run.
func (p *Pool) report(e *Endpoint, ev policy.Evidence) {
	if ev.Outcome != policy.Answered || ev.Phase == policy.Request {
		e.listens.Store(true) // until the group says otherwise
		if !p.inbox.put(report{e, ev}) {
			p.mu.Lock()
			p.hear()
			p.mu.Unlock()
		}
	}
	p.rouse()
}

// hear hands the group all that has been reported. The lock is held.
func (p *Pool) hear() {
	for _, r := range p.inbox.take() {
		p.regard(r.endpoint)
		if p.stale(r.endpoint) {
			continue
		}
		if r.evidence.Outcome == policy.Answered {
			p.group.Granted(r.endpoint.index, r.evidence.At)
			continue
		}
		p.sync(r.endpoint)
		p.group.Observe(r.endpoint.index, r.evidence)
	}
	p.answers = p.inbox.pop(p.answers[:0])
	for _, e := range p.answers {
		if !p.stale(e) {
			p.regard(e)
			p.sync(e)
		}
	}
}

// regard has it asked at the end of this step whether the group listens to e.
// The lock is held.
func (p *Pool) regard(e *Endpoint) {
	if !e.regarded {
		e.regarded = true
		p.regarded = append(p.regarded, e)
	}
}

// listen tells the endpoints to which something has happened whether the group
// needs to hear of their answers at once. The lock is held.
func (p *Pool) listen() {
	for _, e := range p.regarded {
		e.regarded = false
		e.listens.Store(!p.stale(e) && p.group.Listens(e.index))
	}
	p.regarded = p.regarded[:0]
	p.listens.Store(p.group.Questioned())
}
