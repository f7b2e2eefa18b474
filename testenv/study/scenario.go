package study

import (
	"context"
	"slices"
)

// World is what a scenario plays. It is set up through its settings, and not changed
// by being run.
type World interface {
	// Settings are the values that can be changed, in the order in which people
	// should read them. They are bound to the world: to set one changes it.
	Settings() Settings
	// Validate reports what does not fit together, joined. What is wrong with one
	// setting by itself has been refused when it was set.
	Validate() error
	// Run plays the world with a seed. The same seed gives the same result, whatever
	// else runs. It returns the context's error if that ends first. It is safe for
	// concurrent use while no setting is changed.
	Run(ctx context.Context, seed uint64) (Result, error)
}

// Scenario is a world by name.
type Scenario struct {
	// Name is what people write, like compat/dynamic-strict-aggressive.
	Name string
	// About says in one line what it is.
	About string
	// New makes the world with its default settings.
	New func() World
	// Measures are those that the world takes beside the [Standard] ones.
	Measures []Measure
	// Series are what the world takes at each point of its axis.
	Series []Measure
	// Axis is time as the world counts it.
	Axis Axis
}

// Axis is the time of a series.
type Axis struct {
	// Name heads the column of times: step, hour.
	Name string
	// Tick is how much of it lies between two points.
	Tick float64
}

// Measure is a figure with a name. Its formula is in About; Label is what charts call it
// who have less room, and the name if it is empty.
type Measure struct{ Name, About, Label string }

// Result is what came of one seed.
type Result struct {
	Seed uint64 `json:"seed"`
	// Values are the measures by name. One that has no meaning in this world, or
	// nothing to be taken from, is absent.
	Values map[string]float64 `json:"values"`
	// Series are values over time by name, all of one length; NaN where there is
	// nothing to be taken from.
	Series map[string]Values `json:"series"`
}

// Standard are the measures that a summary begins with, whatever the world.
var Standard = []Measure{
	{Name: "connectivity_true", About: "share of the time of present honest clients in which they have an endpoint that works for them"},
	{Name: "connectivity_felt", About: "share of honest clients' requests that succeed within their patience"},
	{Name: "connectivity_published", About: "mean over the steps of 1 - (clients without a working endpoint) / (clients), agents counted as clients"},
	{Name: "availability_mean", About: "mean over the steps of the share of launched endpoints that are not blocked"},
	{Name: "lifetime_median", About: "median time from an endpoint's first disclosure to its block; by Kaplan and Meier, with those that were never blocked as censored; absent if fewer than half are ever blocked"},
	{Name: "wait_mean", About: "mean time that honest clients without a working endpoint waited for one, of the waits that ended"},
	{Name: "cost", About: "money for endpoints"},
	{Name: "addresses_listed_peak", About: "the most addresses that were listed at one time"},
	{Name: "tenants_blocked", About: "how many of the innocent services were blocked at any time"},
}

// Columns are the measures of a scenario's summary: the standard ones, then its own.
func (s Scenario) Columns() []Measure { return slices.Concat(Standard, s.Measures) }

// Find returns the scenario of a name, and if there is none those whose names are
// most like it.
func Find(all []Scenario, name string) (Scenario, []string, bool) {
	var names []string
	for _, s := range all {
		if s.Name == name {
			return s, nil, true
		}
		names = append(names, s.Name)
	}
	return Scenario{}, Nearest(name, names), false
}
