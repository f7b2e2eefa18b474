package compat

import "github.com/paperplane-relay/paperplane/testenv/study"

// Scenarios are the simulator's worlds as published, by name.
func Scenarios() []study.Scenario {
	scenario := func(name, about string, world func() *World) study.Scenario {
		return study.Scenario{
			Name: "compat/" + name, About: about, New: func() study.World { return world() },
			Measures: measures, Series: series, Axis: study.Axis{Name: "step", Tick: 1},
		}
	}
	return []study.Scenario{
		scenario("dynamic-strict-aggressive", "few proxies for many users, given to those who lost few",
			func() *World { return Dynamic(Strict) }),
		scenario("dynamic-kind-aggressive", "the same, given to those who used them long",
			func() *World { return Dynamic(Kind) }),
		scenario("ephemeral-aggressive", "volunteers who come and go, one user each, as in Snowflake",
			Ephemeral),
	}
}
