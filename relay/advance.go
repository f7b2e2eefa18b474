package relay

import (
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

const (
	// slowRequest is how long a CONNECT may take before it is hedged on account
	// of time alone, which is within the budget.
	slowRequest = time.Second
	// lookEvery is how often the path of a pending CONNECT is looked at.
	lookEvery = 250 * time.Millisecond
	// roundPause is the shortest time between two rounds that changes in the
	// pool bring about, so that a storm of changes is no storm of dials.
	roundPause = 50 * time.Millisecond
)

// advance does what is due and returns when it next wants to be called. An
// error ends the race.
func (r *race) advance(now time.Time) (time.Time, error) {
	if !now.Before(r.deadline) {
		if r.refused != nil {
			return now, r.refuse(r.refused)
		}
		return now, errPatience
	}
	wake := r.deadline
	soonest := func(t time.Time) {
		if t.Before(wake) {
			wake = t
		}
	}
	fresh, late := 0, false
	for _, a := range r.running {
		if !a.request.asked.IsZero() {
			soonest(r.lookAfter(a, now))
			continue
		}
		due, overdue := r.lateness(a, now)
		if overdue {
			late = late || a.batch == r.batch
			continue
		}
		if !due.IsZero() {
			soonest(due)
			if a.batch == r.batch {
				fresh++
			}
		}
	}
	if !r.needy() {
		return wake, nil
	}
	if late && !r.spent {
		// The newest batch is late: here comes the next one.
		r.batch++
		r.next(batches[min(r.batch, len(batches)-1)])
		return now, nil
	}
	if r.spent && fresh == 0 {
		return r.exhausted(now, wake)
	}
	return wake, nil
}

// lateness reports an attempt whose phase takes longer than it should, once for
// each phase. It returns when that is going to be the case, or the zero time if
// it was the case before. An attempt whose endpoint has fallen from grace since
// it began is late as well, on the word of others.
func (r *race) lateness(a *attempt, now time.Time) (due time.Time, overdue bool) {
	phase, since := a.at()
	if phase >= policy.Request {
		return now.Add(lookEvery), false // it is about to say so
	}
	if a.overdue[phase] {
		return time.Time{}, false
	}
	due = since.Add(a.endpoint.HedgeDelay(phase))
	if now.Before(due) {
		if a.active && a.endpoint.State() != policy.Active {
			a.active, a.overdue[phase] = false, true
			r.distrust(a)
			return due, true
		}
		return due, false
	}
	a.overdue[phase] = true
	r.distrust(a)
	r.server.tell(a.endpoint, policy.Evidence{Phase: phase, Outcome: policy.Overdue, Asked: since, At: now})
	r.server.stats.hedges.Add(1)
	return due, true
}

// exhausted is called when every endpoint of the lease has been tried in vain:
// the request waits with all others for an answer from anywhere, or for a
// change in the pool.
func (r *race) exhausted(now, wake time.Time) (time.Time, error) {
	if r.refused != nil && !r.requesting() {
		// A second opinion is not to be had: the first one stands.
		return now, r.refuse(r.refused)
	}
	if !r.requesting() && r.left.heard() {
		ep := r.left.again()
		if ep == nil || r.returned {
			return now, errStands
		}
		r.returned = true
		r.start(ep)
		return now, nil
	}
	if r.stale {
		again := r.round.Add(roundPause)
		if !now.Before(again) {
			r.begin(now)
			return now, nil
		}
		if again.Before(wake) {
			wake = again
		}
	}
	if r.waiting == nil {
		r.waiting = r.server.room.join()
	}
	return wake, nil
}

// requesting reports whether any CONNECT is pending.
func (r *race) requesting() bool {
	for _, a := range r.running {
		if !a.request.asked.IsZero() {
			return true
		}
	}
	return false
}

// lookAfter watches one pending CONNECT. If the path or the pool give reason to
// doubt its endpoint, the next one is asked beside it at once; if it is merely
// slow, within the budget.
func (r *race) lookAfter(a *attempt, now time.Time) time.Time {
	q := &a.request
	if a.active && a.endpoint.State() != policy.Active {
		r.pass(a)
	}
	first := q.asked.Add(max(a.endpoint.HedgeDelay(policy.Connect), 20*time.Millisecond))
	look := first
	if !q.checked.IsZero() {
		look = q.checked.Add(lookEvery)
	}
	if !now.Before(look) {
		if q.checked.IsZero() {
			// Unanswered probes tell a dead path from a slow destination. They take
			// seconds, so they begin as soon as the answer is late.
			upstream.Tune(a.session.Conn())
			_ = upstream.KeepAlive(a.session.Conn(), fastPace, fastPace)
		}
		q.checked = now
		look = now.Add(lookEvery)
		r.inspect(a, now)
	}
	slow := q.asked.Add(slowRequest)
	if now.Before(slow) {
		if slow.Before(look) {
			return slow
		}
		return look
	}
	if !q.passed && !r.hedged && r.server.budget.spend() {
		r.hedged = true
		r.server.stats.hedges.Add(1)
		r.pass(a)
	}
	return look
}

// pass has the next endpoint asked beside a, unless a companion is about to ask
// the same one afresh; if that comes to nothing, the next is asked because of it.
func (r *race) pass(a *attempt) {
	if a.request.passed {
		return
	}
	a.request.passed = true
	if r.needy() && r.companion(a) == nil {
		r.next(1)
	}
}

// inspect reads what the transport knows of a pending CONNECT's path. Bytes
// that are not acknowledged in the time of a first phase are a first phase's
// silence.
func (r *race) inspect(a *attempt, now time.Time) {
	flow, ok := upstream.ReadFlow(a.session.Conn())
	if !ok {
		return
	}
	q := &a.request
	outcome := policy.None
	switch {
	case flow.Retransmits >= 2 && flow.Unacked > 0, flow.Probes >= 2:
		outcome = policy.Silent
	case flow.Unacked > 0 && flow.LastAck >= now.Sub(q.asked):
		outcome = policy.Overdue
	}
	if outcome == policy.None {
		return
	}
	// An overdue companion tells of the same silence; once is enough.
	told := outcome == policy.Overdue && r.companion(a) != nil
	if !told && q.reported != outcome && q.reported != policy.Silent {
		q.reported = outcome
		r.tellRequest(a.endpoint, policy.Evidence{Outcome: outcome, Asked: q.asked, At: now})
	}
	if a.spare != nil && !q.passed && !r.again && r.companion(a) == nil {
		r.forgotten(a)
		return
	}
	r.pass(a)
}
