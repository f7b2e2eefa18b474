package remote

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// Rule is a [blocker.Rule] in JSON. All conditions must hold; what is left out
// always does.
type Rule struct {
	// ID names the rule at its ISP. It is the server's to give.
	ID blocker.RuleID `json:"id,omitempty"`
	// Prefixes holds blocks of server addresses, without bits beyond their
	// length.
	Prefixes []netip.Prefix `json:"prefixes,omitempty"`
	// Ports holds server ports, Names host names with their subdomains, and
	// ExceptNames those that are left alone.
	Ports       []uint16 `json:"ports,omitempty"`
	Names       []string `json:"names,omitempty"`
	ExceptNames []string `json:"except_names,omitempty"`
	// From and Until bound the rule in time, From inclusive, Until exclusive.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Cycle has the rule come and go within those bounds.
	Cycle Cycle `json:"cycle,omitzero"`
	// Probability is the share of flows concerned, 0 to 1; zero means all.
	Probability float64 `json:"probability,omitempty"`
	// Direction is "up", from the ISP's customers, or "down", or empty for both.
	Direction string `json:"direction,omitempty"`
	// Do is what is done, as [scenario.ParseAction] reads it: "freeze:16KiB".
	Do string `json:"do"`
	// Registry is true of the rule by which the ISP applies the registry. Its
	// prefixes are left out, since they may be millions; Listed is how many.
	Registry bool `json:"registry,omitempty"`
	Listed   int  `json:"listed,omitempty"`
	// Idle is true of a rule that is not in force at this moment, by its dates or
	// its cycle.
	Idle bool `json:"idle,omitempty"`
}

// Cycle is a schedule that repeats: see [blocker.Cycle].
type Cycle struct {
	Start time.Time `json:"start"`
	Every float64   `json:"every_seconds"`
	On    float64   `json:"on_seconds"`
}

// maxCycle is a year: what is longer is no cycle.
const maxCycle = 366 * 24 * time.Hour

// minCycle is a second: each turn costs the world work.
const minCycle = time.Second

func (c Cycle) cycle() (blocker.Cycle, error) {
	if c == (Cycle{}) {
		return blocker.Cycle{}, nil
	}
	every, on := seconds(c.Every), seconds(c.On)
	if c.Every > maxCycle.Seconds() || c.Every < minCycle.Seconds() || c.On > c.Every || on <= 0 {
		return blocker.Cycle{}, errors.New("must be on for on_seconds of every_seconds, at least a second and at most a year")
	}
	return blocker.Cycle{Start: c.Start, Every: every, On: on}, nil
}

func cycleOf(c blocker.Cycle) Cycle {
	return Cycle{Start: c.Start, Every: c.Every.Seconds(), On: c.On.Seconds()}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// rule is what the JSON means.
func (r Rule) rule() (blocker.Rule, error) {
	if r.ID != 0 || r.Registry || r.Listed != 0 || r.Idle {
		return blocker.Rule{}, errors.New("id, registry, listed and idle are the world's to say: leave them out")
	}
	do, err := scenario.ParseAction(r.Do)
	errs := []error{wrap("do", err), prefixError(r.Prefixes)}
	if slices.Contains(r.Ports, 0) {
		errs = append(errs, errors.New("ports: must be from 1 to 65535, got 0"))
	}
	errs = append(errs, wrap("names", nameError(r.Names)), wrap("except_names", nameError(r.ExceptNames)))
	cycle, err := r.Cycle.cycle()
	errs = append(errs, wrap("cycle", err))
	if !r.Until.IsZero() && !r.Until.After(r.From) {
		errs = append(errs, errors.New("until: must be after from"))
	}
	if r.Probability < 0 || r.Probability > 1 {
		errs = append(errs, fmt.Errorf("probability: must be from 0 to 1, got %v", r.Probability))
	}
	dir := blocker.Both
	switch r.Direction {
	case "":
	case blocker.Up.String():
		dir = blocker.Up
	case blocker.Down.String():
		dir = blocker.Down
	default:
		errs = append(errs, fmt.Errorf("direction: must be up or down, or left out for both, got %q", r.Direction))
	}
	return blocker.Rule{
		When: blocker.When{
			Prefixes: r.Prefixes, Ports: r.Ports, Names: r.Names, ExceptNames: r.ExceptNames,
			From: r.From, Until: r.Until, Cycle: cycle, Probability: r.Probability, Dir: dir,
		},
		Do: do,
	}, errors.Join(errs...)
}

func wrap(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", key, err)
}

func nameError(names []string) error {
	for _, n := range names {
		if n == "" || strings.ContainsAny(n, " /:*") {
			return fmt.Errorf("must be host names like example.org, got %q", n)
		}
	}
	return nil
}

// prefixError says what is wrong with prefixes. A block that is wider than it
// looks is a bad surprise.
func prefixError(prefixes []netip.Prefix) error {
	for _, p := range prefixes {
		switch {
		case !p.IsValid():
			return errors.New("prefixes: must be CIDR blocks like 52.58.0.0/15, got an empty one")
		case p.Addr().Is4In6():
			return fmt.Errorf("prefixes: write %s as IPv4", p)
		case p != p.Masked():
			return fmt.Errorf("prefixes: must have no bits beyond their length, got %s: write %s or %s/%d",
				p, p.Masked(), p.Addr(), p.Addr().BitLen())
		}
	}
	return nil
}

// ruleOf writes a rule in JSON.
func ruleOf(id blocker.RuleID, r blocker.Rule, registry bool) Rule {
	out := Rule{
		ID: id, Ports: r.When.Ports, Names: r.When.Names, ExceptNames: r.When.ExceptNames,
		From: r.When.From, Until: r.When.Until, Cycle: cycleOf(r.When.Cycle),
		Probability: r.When.Probability, Do: action(r.Do), Registry: registry,
	}
	if r.When.Dir != blocker.Both {
		out.Direction = r.When.Dir.String()
	}
	if registry {
		out.Listed = r.When.Servers().Len()
		return out
	}
	out.Prefixes = slices.Concat(r.When.Prefixes, slices.Collect(r.When.Set.All()))
	return out
}

// action writes an action as scenario.ParseAction reads it.
func action(a blocker.Action) string {
	t := a.Terms()
	var s string
	switch t.Deed {
	case blocker.Drops:
		s = "drop"
	case blocker.Resets:
		s = "reset"
	case blocker.Rejects:
		s = "reject"
	case blocker.Freezes:
		if s = "freeze:" + size(t.Bytes); t.Packets > 0 {
			s = fmt.Sprintf("freeze:%dpackets", t.Packets)
		}
		if t.Count != blocker.Both {
			s += ",counting:" + t.Count.String()
		}
	case blocker.Polices:
		s = "police:" + strconv.FormatFloat(t.Rate, 'f', -1, 64) + "B/s"
	}
	if t.Window > 0 {
		s += ",lingering:" + t.Window.String()
		if t.Renews {
			s += ",renewing"
		}
	}
	return s
}

// size is a number of bytes, in KiB if that is exact.
func size(n int64) string {
	if n > 0 && n%(1<<10) == 0 {
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return fmt.Sprintf("%dB", n)
}
