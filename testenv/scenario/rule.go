package scenario

import (
	"net/netip"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Rule is an order to the border: when to act, and what to do.
type Rule struct {
	When When           `yaml:"when"`
	Do   blocker.Action `yaml:"do,required"`
	// Note is what a display shows when the rule comes into force, in place of
	// words of its own.
	Note string `yaml:"note"`
}

// When selects flows and packets. All its conditions must hold; what is not
// there always does.
type When struct {
	// Prefixes holds the addresses that the rule is for, and ExceptPrefixes those
	// that it is not for. A rule with exceptions alone is for everything else.
	Prefixes       []netip.Prefix `yaml:"prefixes"`
	ExceptPrefixes []netip.Prefix `yaml:"except-prefixes"`
	// Ports holds server ports.
	Ports []uint16 `yaml:"ports"`
	// Names holds host names that a flow must have shown, one of them, and
	// ExceptNames those of which none may. Each means its subdomains as well.
	Names       []string `yaml:"names"`
	ExceptNames []string `yaml:"except-names"`
	// Daily is the part of each day for which the rule holds.
	Daily Hours `yaml:"daily"`
	// From and Until bound it in time: From inclusive, Until exclusive.
	From  time.Time `yaml:"from"`
	Until time.Time `yaml:"until"`
	// Probability is the share of flows concerned, drawn for each; zero means all.
	Probability float64 `yaml:"probability,share"`
	// Direction limits the rule to packets of one direction: up is from the
	// clients, down is towards them.
	Direction blocker.Direction `yaml:"direction"`
}

// Hours is a part of the day, from a time to another, which may be of the next
// day: 08:00-23:00, 22:00-06:00. The zero value is the whole day.
type Hours struct {
	// From and To are counted from midnight, 0 to 24 h.
	From, To time.Duration
}

// length is for how long of the day it lasts.
func (h Hours) length() time.Duration {
	if h.To > h.From {
		return h.To - h.From
	}
	return h.To + 24*time.Hour - h.From
}

// spell is a time for which a rule is in force.
type spell struct{ from, until time.Time }

// spells are the times within the story for which a rule is in force.
func (s *Scenario) spells(w When) (all []spell) {
	bound := spell{s.Begins, s.Ends()}
	if w.From.After(bound.from) {
		bound.from = w.From
	}
	if !w.Until.IsZero() && w.Until.Before(bound.until) {
		bound.until = w.Until
	}
	if w.Daily == (Hours{}) {
		return append(all, bound)
	}
	// A day is 24 h here, whatever a zone does with it.
	for d := s.midnight().Add(-day); d.Before(bound.until); d = d.Add(day) {
		one := spell{d.Add(w.Daily.From), d.Add(w.Daily.From + w.Daily.length())}
		if one.from.Before(bound.from) {
			one.from = bound.from
		}
		if one.until.After(bound.until) {
			one.until = bound.until
		}
		if one.from.Before(one.until) {
			all = append(all, one)
		}
	}
	return all
}

// midnight is the beginning of the story's first day.
func (s *Scenario) midnight() time.Time {
	y, m, d := s.Begins.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, s.Begins.Location())
}
