package verdicts

import (
	"fmt"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
)

// Tally is what judging cost.
type Tally struct {
	// Healthy is the time that endpoints which were well spent in use, summed;
	// Suspected is how much of it they were suspects.
	Healthy, Suspected time.Duration
	// FalseDead is how often one of them was condemned; Rotations is how often one
	// lost its place, so that its clients had to move.
	FalseDead, Rotations int
	// Examinations is how many there were, ProbeBytes what they sent and received,
	// LargestProbe the most that one of them did.
	Examinations             int
	ProbeBytes, LargestProbe int64
	// Exposed is how many reserve addresses were shown, beyond one for each
	// endpoint that was lost.
	Exposed int
	// Mistakes are the condemnations of endpoints that are well, in words.
	Mistakes []string
}

func (t *Tally) add(o Tally) {
	t.Healthy += o.Healthy
	t.Suspected += o.Suspected
	t.FalseDead += o.FalseDead
	t.Rotations += o.Rotations
	t.Examinations += o.Examinations
	t.ProbeBytes += o.ProbeBytes
	t.LargestProbe = max(t.LargestProbe, o.LargestProbe)
	t.Exposed += o.Exposed
	t.Mistakes = append(t.Mistakes, o.Mistakes...)
}

// account draws the balance of a vantage. What the events strike there counts as
// well until they do.
func (v *vantage) account(began time.Time, hit []*testenv.Host) (t Tally) {
	struck := make(map[string]bool)
	for _, h := range hit {
		struck[h.Spec().Name()] = true
	}
	now, events := time.Now(), v.told()
	lost := 0
	for _, r := range v.pool.Endpoints() {
		l := life{state: policy.Reserve}
		for _, ev := range events {
			if ev.Kind == pool.Changed && ev.Endpoint.Name() == r.Name {
				if struck[r.Name] && !ev.At.Before(began) {
					if ev.To == policy.Dead {
						lost++
						break
					}
					continue
				}
				if l.turn(ev.At, ev.To, &t) {
					t.Mistakes = append(t.Mistakes, fmt.Sprintf("%8.2fs %s", ev.At.Sub(began).Seconds(), ev))
				}
			}
		}
		if struck[r.Name] {
			l.turn(began, policy.Retired, &t)
		} else {
			l.turn(now, policy.Retired, &t)
		}
	}
	shown := 0
	for _, r := range v.pool.Endpoints() {
		if r.Exposed {
			shown++
		}
	}
	t.Exposed = max(shown-min(len(v.scene.endpoints), v.active())-lost, 0)
	v.mu.Lock()
	defer v.mu.Unlock()
	t.Examinations = len(v.probes)
	for _, n := range v.probes {
		t.ProbeBytes += n
	}
	if len(v.probes) > 0 {
		t.LargestProbe = slices.Max(v.probes)
	}
	return t
}

// active is how many endpoints are to be in use.
func (v *vantage) active() int {
	if n := v.scene.c.Setting.Active; n > 0 {
		return n
	}
	return usualActive
}

// life follows one endpoint that is well through its states.
type life struct {
	state policy.State
	since time.Time
}

// turn books the time spent in a state, and what it means to leave it for to. It
// reports whether it was condemned.
func (l *life) turn(at time.Time, to policy.State, t *Tally) (condemned bool) {
	if spent := at.Sub(l.since); !l.since.IsZero() {
		switch l.state {
		case policy.Suspect:
			t.Suspected += spent
			t.Healthy += spent
		case policy.Active, policy.Dead, policy.Probation:
			t.Healthy += spent
		default:
		}
	}
	switch {
	case to == policy.Dead && l.state != policy.Dead:
		condemned = true
		t.FalseDead++
		if l.state == policy.Active || l.state == policy.Suspect {
			t.Rotations++
		}
	case to == policy.Reserve && l.state == policy.Suspect:
		t.Rotations++
	}
	l.state, l.since = to, at
	return condemned
}
