package main

import (
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// skip has a scenario begin as it stands after some time of it: what was ordered
// by then is ordered at once, and what was over by then has not been. Time is
// even in what remains.
func skip(s *scenario.Scenario, d time.Duration) {
	begins := s.Begins.Add(d)
	s.Begins, s.Lasts, s.Clock = begins, s.Lasts-d, nil
	s.Rules = skipRules(s.Rules, begins)
	for i := range s.ISPs {
		s.ISPs[i].Rules = skipRules(s.ISPs[i].Rules, begins)
	}
	for i := range s.Registry {
		if e := &s.Registry[i]; e.At.Before(begins) {
			e.At = begins
		}
	}
	for i := range s.Events {
		skipEvent(&s.Events[i], begins)
	}
	s.Events = slices.DeleteFunc(s.Events, func(e scenario.Event) bool {
		return len(e.Launch)+len(e.Cut)+len(e.Stop)+len(e.Hang)+len(e.Evict) == 0
	})
}

// skipRules leaves out rules that are over.
func skipRules(rules []scenario.Rule, begins time.Time) []scenario.Rule {
	for i := range rules {
		if w := &rules[i].When; w.From.Before(begins) {
			w.From = time.Time{}
		}
	}
	return slices.DeleteFunc(rules, func(r scenario.Rule) bool {
		return !r.When.Until.IsZero() && !r.When.Until.After(begins)
	})
}

func skipEvent(e *scenario.Event, begins time.Time) {
	late := begins.Sub(e.At)
	if late <= 0 {
		return
	}
	e.At = begins
	switch {
	case e.For == 0:
	case e.For <= late:
		e.Cut, e.Stop, e.Hang, e.For = nil, nil, nil, 0
	default:
		e.For -= late
	}
	for i := range e.Evict {
		e.Evict[i].Notice = max(e.Evict[i].Notice-late, 0)
	}
}
