package pool

import (
	"fmt"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// batch is how many rows are written in one transaction, and how many events
// are told after it: some milliseconds of work.
const batch = 256

// write stores rows as they are now, in one transaction. Nobody but other
// writers waits for it: the pool's lock is held only to read the group. It fails
// as a whole, and then nothing is stored.
func (p *Pool) write(indexes []int) error {
	if len(indexes) == 0 {
		return nil
	}
	p.writes.Lock()
	defer p.writes.Unlock()
	rows := make([]*Row, len(indexes))
	now := time.Now()
	p.mu.Lock()
	for n, i := range indexes {
		rows[n] = p.endpoints[i].row(p.group.Record(i))
		rows[n].Schedule, _ = p.group.Schedule(i, now)
	}
	p.mu.Unlock()
	txn := p.db.Txn(true)
	for _, r := range rows {
		if err := txn.Insert(tableEndpoints, r); err != nil {
			txn.Abort() // half an index may be there
			return fmt.Errorf("pool: storing %s: %w", r.Name, err)
		}
	}
	txn.Commit()
	return nil
}

// row is what the table is to hold of the endpoint.
func (e *Endpoint) row(r policy.Record) *Row {
	return &Row{
		Name: e.name, Spec: e.spec, Prefix: e.prefix, Provider: e.spec.Provider,
		State: r.State, Verdict: r.Verdict, Cause: r.Cause, Confidence: r.Confidence, Why: r.Why, Since: r.Since,
		Slot: r.Slot, Exposed: r.Exposed,
	}
}
