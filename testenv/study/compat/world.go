package compat

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/paperplane-relay/paperplane/testenv/study"
)

// The words of a world.
type (
	// Policy is how the distributor gives out proxies.
	Policy string
	// Censor is how the censor chooses what to block among what its agents have been
	// given.
	Censor string
	// Faults is whether the published simulator's are reproduced.
	Faults string
)

// The policies: Strict and Kind belong to the dynamic world, Snowflake to the
// ephemeral one.
const (
	Strict    Policy = "strict"
	Kind      Policy = "kind"
	Snowflake Policy = "snowflake"
)

// The censors.
const (
	// Null blocks nothing.
	Null Censor = "null"
	// Aggressive blocks everything that its agents hold.
	Aggressive Censor = "aggressive"
	// Conservative blocks a share of it, drawn at each step.
	Conservative Censor = "conservative"
	// Greedy blocks what cuts off more users than it costs its agents in standing.
	Greedy Censor = "greedy"
)

// The faults.
const (
	Published Faults = "published"
	Repaired  Faults = "repaired"
)

// Weights are what the distributor of the dynamic world goes by. The zero value is
// that of the policy.
type Weights struct {
	// Use is for each step that a user has held a proxy that was not blocked, up to
	// UseLimit of them; Requests, BlockedUse and Blocked are against it, for each
	// proxy that it was given, each step that it had held one that was blocked
	// since, and each such one. Distance is against it for the distance to a proxy.
	Use, Requests, BlockedUse, Blocked, Distance float64
	// Known and Connected are for a proxy, for each user who knows it and who is
	// connected to it; Away is against it for the distance to a user.
	Known, Connected, Away float64
}

// The weights of the two policies, as published.
var (
	strictWeights = Weights{Use: 1, Requests: 3, BlockedUse: 5, Blocked: 5, Distance: 3, Known: 1, Connected: 3, Away: 3}
	kindWeights   = Weights{Use: 5, Requests: 1, BlockedUse: 1, Blocked: 1, Distance: 1, Known: 1, Connected: 3, Away: 3}
)

// Rates are arrivals in each step, in the mean, and the share of new users who are
// agents.
type Rates struct{ Users, Proxies, Agents float64 }

// World is a world of the simulator. Make it with [Dynamic] or [Ephemeral], and change
// its fields before it is run.
type World struct {
	// Policy says which world it is.
	Policy Policy
	Censor Censor
	Faults Faults

	// Steps is how many there are, Birth how many of them have the Early rates.
	Steps, Birth int
	// Early and Late are the rates; in the ephemeral world, users and proxies always
	// arrive at the Late ones.
	Early, Late Rates

	// Capacity is how many users a proxy of the dynamic world can serve.
	Capacity int
	// Weights are those of the distributor of the dynamic world.
	Weights Weights
	// UseLimit is how many steps of use count at most, and AgentUse what share of
	// them counts for agents.
	UseLimit, AgentUse float64
	// Flagged is the value for a proxy below which a user gets nothing any more.
	Flagged float64

	// Fraction is the share that the conservative censor blocks, rounded down.
	Fraction float64
	// Caution is how much the greedy one minds what its agents lose.
	Caution float64

	// UsersLeave and ProxiesLeave are the probabilities of leaving in a step of the
	// ephemeral world, and Return is the share of arriving users that have been there
	// before.
	UsersLeave, ProxiesLeave, Return float64
	// UsersRestricted and ProxiesRestricted are the shares behind a NAT.
	UsersRestricted, ProxiesRestricted float64
}

var _ study.World = (*World)(nil)

// Dynamic is the dynamic world as published, with the strict or the kind policy.
func Dynamic(p Policy) *World {
	w := &World{
		Policy: p, Censor: Aggressive, Faults: Published, Steps: 550, Birth: 50,
		Early: Rates{Users: 20, Proxies: 5, Agents: .05}, Late: Rates{Users: 10, Proxies: .75, Agents: .10},
		Capacity: 40, UseLimit: 1000, AgentUse: .16, Flagged: -500, Fraction: .5, Caution: .5, Weights: strictWeights,
	}
	if p == Kind {
		w.Weights = kindWeights
	}
	return w
}

// Ephemeral is the ephemeral world as published.
func Ephemeral() *World {
	return &World{
		Policy: Snowflake, Censor: Aggressive, Faults: Published, Steps: 550, Birth: 50,
		Early: Rates{Agents: .05}, Late: Rates{Users: 200, Proxies: 220, Agents: .10},
		Fraction: .5, UsersLeave: .25, ProxiesLeave: .25, Return: .2, UsersRestricted: .5, ProxiesRestricted: .45,
	}
}

// most is how many arrivals a step may have: more do not fit into memory for long.
const most = 100_000

// Settings implements [study.World].
func (w *World) Settings() study.Settings {
	s := study.Settings{
		study.Word("blocker", &w.Censor, "how the censor chooses among the proxies that its agents hold", Null, Aggressive, Conservative, Greedy),
		study.Whole("steps", &w.Steps, 1, 1_000_000, "steps that are played"),
		study.Whole("birth_steps", &w.Birth, 0, 1_000_000, "steps of them that have the birth rates"),
		study.Number("users_per_step", &w.Late.Users, 0, most, "users that arrive in a step, in the mean"),
		study.Number("proxies_per_step", &w.Late.Proxies, 0, most, "proxies that arrive in a step, in the mean"),
		study.Number("agents.share", &w.Late.Agents, 0, 1, "share of the new users who are agents"),
		study.Number("birth.agents.share", &w.Early.Agents, 0, 1, "the same during the birth steps"),
		study.Number("blocker.fraction", &w.Fraction, 0, 1, "share that the conservative censor blocks"),
	}
	if w.Policy == Snowflake {
		return append(s,
			study.Word("faults", &w.Faults, "whether the published simulator's faults are reproduced", Published, Repaired),
			study.Number("users.leave", &w.UsersLeave, 0, 1, "probability with which a user leaves in a step"),
			study.Number("users.return", &w.Return, 0, 1, "share of the arriving users who have been there before"),
			study.Number("users.restricted", &w.UsersRestricted, 0, 1, "share of the users behind a restricted NAT"),
			study.Number("proxies.leave", &w.ProxiesLeave, 0, 1, "probability with which a proxy leaves in a step"),
			study.Number("proxies.restricted", &w.ProxiesRestricted, 0, 1, "share of the proxies behind a restricted NAT"),
		)
	}
	infinite := math.Inf(1)
	weight := func(name string, to *float64, about string) study.Setting {
		return study.Number("weights."+name, to, 0, 1e6, about)
	}
	return append(s,
		study.Number("birth.users_per_step", &w.Early.Users, 0, most, "users that arrive in a birth step, in the mean"),
		study.Number("birth.proxies_per_step", &w.Early.Proxies, 0, most, "proxies that arrive in a birth step, in the mean"),
		study.Whole("capacity", &w.Capacity, 1, 1_000_000, "users that a proxy can serve, ever"),
		weight("use", &w.Weights.Use, "for a user, for each step in which it held a proxy that was not blocked"),
		weight("requests", &w.Weights.Requests, "against a user, for each proxy that it was given"),
		weight("blocked_use", &w.Weights.BlockedUse, "against a user, for each step in which it had held a proxy that was blocked since"),
		weight("blocked", &w.Weights.Blocked, "against a user, for each proxy of its that was blocked"),
		weight("distance", &w.Weights.Distance, "against a user, for its distance to the proxy, which is at most 1"),
		weight("known", &w.Weights.Known, "for a proxy, for each user who knows it"),
		weight("connected", &w.Weights.Connected, "for a proxy, for each user who is connected to it"),
		weight("away", &w.Weights.Away, "against a proxy, for its distance to the user"),
		study.Number("use_limit", &w.UseLimit, 0, infinite, "steps of use that count at most"),
		study.Number("agents.use", &w.AgentUse, 0, 1, "share of an agent's use that counts; it takes a distributor that knows the agents"),
		study.Number("flag_below", &w.Flagged, math.Inf(-1), infinite, "value for a proxy below which a user gets none any more"),
		study.Number("blocker.caution", &w.Caution, 0, 1e6, "how much the greedy censor minds what its agents lose in value"),
	)
}

// Validate implements [study.World].
func (w *World) Validate() error {
	var errs []error
	if w.Birth > w.Steps {
		errs = append(errs, fmt.Errorf("birth_steps: must be no more than steps, which is %d, got %d", w.Steps, w.Birth))
	}
	return errors.Join(errs...)
}

// Run implements [study.World].
func (w *World) Run(ctx context.Context, seed uint64) (study.Result, error) {
	run := w.dynamic
	if w.Policy == Snowflake {
		run = w.ephemeral
	}
	l, err := run(ctx, seed)
	if err != nil {
		return study.Result{}, err
	}
	return l.result(seed), nil
}

// rates are those of a step.
func (w *World) rates(step int) Rates {
	r := w.Late
	if step < w.Birth {
		r.Agents = w.Early.Agents
		if w.Policy != Snowflake {
			r = w.Early
		}
	}
	return r
}
