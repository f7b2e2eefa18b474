package verdicts

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv"
)

// When a verdict is read, from the first affected attempt.
const (
	firstReading  = 10 * time.Second
	secondReading = time.Minute
	// manyTransfers are enough to read the verdict on a freeze sooner.
	manyTransfers = 20
	// attemptWithin is how long a run waits for an attempt to be affected.
	attemptWithin = 10 * time.Minute
)

// Run is what came of playing a case once.
type Run struct {
	Truth string
	Draw  Draw
	// Void says why the run shows nothing, if it does not: no attempt was affected.
	Void string
	// Readings are at 10 s, at a minute, and at the run's end, if the case has it.
	Readings []Reading
	// Took is the time from the first affected attempt to a right verdict, and
	// Told whether there was one by the second reading; of several struck
	// endpoints the slowest counts.
	Took time.Duration
	Told bool
	// Tally is what it cost.
	Tally
	// Trail is what the pool told of the struck, for people.
	Trail []string
}

// Reading is what the pool said at a moment, over all who were asked about.
type Reading struct {
	Label Label
	Right bool
	Why   string
}

// Play runs a case once, at a level of loss, in a world from a seed. It must be
// called in a testing/synctest bubble. It fails if the world cannot be built or
// will not end.
func Play(c *Case, loss float64, seed uint64) (Run, error) {
	r := Run{Truth: c.Truth}
	s, err := newScene(c, loss, seed)
	if err != nil {
		return r, errors.Join(err, s.close())
	}
	err = s.play(&r)
	r.Draw = s.draw
	return r, errors.Join(err, s.close())
}

func (s *Scene) play(r *Run) error {
	for _, v := range s.vantages {
		if err := v.start(); err != nil {
			return err
		}
		s.wg.Go(v.load)
	}
	time.Sleep(warmUp)
	victims := s.victims()
	if len(victims) == 0 {
		s.unready(r)
		return nil
	}
	subjects := s.subjects(victims)
	began := time.Now()
	next, err := s.happen(0, began, victims)
	if err != nil {
		return err
	}
	if s.c.Setting.Restart {
		for _, v := range s.vantages {
			v.stop()
			if err := v.start(); err != nil {
				return err
			}
		}
	}
	for _, j := range subjects {
		j.since = time.Now()
		j.up = s.World.Ledger().Path(j.v.isp.Name(), j.server).Up
	}
	over := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() { s.lookOut(subjects, over) })
	for _, j := range subjects {
		reading.Go(func() { j.read() })
	}
	var read sync.WaitGroup
	read.Go(func() {
		reading.Wait()
		close(over)
	})
	for next < len(s.c.Events) {
		if !waitUntil(over, began.Add(s.c.Events[next].After)) {
			break
		}
		if next, err = s.happen(next, began, victims); err != nil {
			break
		}
	}
	<-over
	read.Wait()
	s.sum(r, began, subjects)
	return err
}

// unready sums up a run in which, with everything well, the pool has nothing in use
// that could be struck. That is wrong, whatever was to happen.
func (s *Scene) unready(r *Run) {
	now := time.Now()
	for _, v := range s.vantages {
		r.add(v.account(now, nil))
	}
	o := OpinionOf(s.vantages[0].row(s.endpoints[0]))
	r.Readings = []Reading{{Label: o.Label(), Why: "nothing was in use: " + o.Why}}
}

// happen makes all events happen that are due, and returns the next one.
func (s *Scene) happen(next int, began time.Time, victims []*testenv.Host) (int, error) {
	for next < len(s.c.Events) {
		e := &s.c.Events[next]
		if time.Since(began) < e.After {
			break
		}
		if err := s.strike(e, victims); err != nil {
			return next, fmt.Errorf("%s: event %d: %w", s.c.Truth, next, err)
		}
		next++
	}
	return next, nil
}

// subjects are the endpoints that the pools are asked about: those struck that
// are in use, at each vantage.
func (s *Scene) subjects(victims []*testenv.Host) (subjects []*subject) {
	struck := false
	least := 0
	for _, e := range s.c.Events {
		struck = struck || e.Whom != Nobody && (e.Rule != nil || e.Host != nil)
		least = max(least, e.Vantages)
	}
	for n, v := range s.vantages {
		v.struck = nil
		for i, h := range victims {
			hit := struck && (least == 0 || n < least)
			if hit {
				v.struck = append(v.struck, h)
			}
			if i > 0 && v.state(h) != policy.Active {
				continue
			}
			subjects = append(subjects, newSubject(v, h, hit))
		}
		if s.c.Setting.Crowd == 0 {
			continue
		}
		// The neighbours that nothing happens to must be well.
		for _, h := range s.endpoints {
			if s.clouds[h.Addr()] == 0 && v.state(h) == policy.Active && !slices.Contains(victims, h) {
				subjects = append(subjects, newSubject(v, h, false))
			}
		}
	}
	return subjects
}

// sum puts together what the subjects have seen. Those that nothing has hit are left
// out, and a run in which nothing was hit at all is void; what it cost counts.
func (s *Scene) sum(r *Run, began time.Time, subjects []*subject) {
	for _, v := range s.vantages {
		r.add(v.account(began, v.struck))
	}
	r.Told = true
	left := 0
	for _, j := range subjects {
		if j.void != "" {
			r.Void = j.void
			continue
		}
		if j.struck {
			left++
		}
		for n, o := range j.opinions {
			if len(r.Readings) == n {
				r.Readings = append(r.Readings, Reading{Label: o.Label(), Right: true, Why: o.Why})
			}
			if right := j.right(n); !right && r.Readings[n].Right {
				r.Readings[n] = Reading{Label: o.Label(), Right: false, Why: o.Why}
			}
		}
		took, told := j.took()
		r.Took, r.Told = max(r.Took, took), r.Told && told
		r.Trail = append(r.Trail, j.trail(began)...)
	}
	if left > 0 {
		r.Void = ""
	}
}

// waitUntil waits for a moment, and reports whether over was not closed before.
func waitUntil(over <-chan struct{}, at time.Time) bool {
	t := time.NewTimer(max(time.Until(at), 1))
	defer t.Stop()
	select {
	case <-over:
		return false
	case <-t.C:
		return true
	}
}
