package main

import (
	"context"
	"log/slog"
	"math"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// logEvents writes a line for each thing that happens to the pool, until ctx
// ends.
func logEvents(ctx context.Context, events *pool.Watch, log *slog.Logger) {
	for {
		e, err := events.Next(ctx)
		if err != nil {
			return
		}
		logEvent(ctx, e, log)
	}
}

func logEvent(ctx context.Context, e pool.Event, log *slog.Logger) {
	attrs := make([]slog.Attr, 0, 6)
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	level, message := slog.LevelInfo, ""
	if e.Endpoint != nil {
		text("endpoint", e.Endpoint.Name())
	}
	switch e.Kind {
	case pool.Changed:
		message = changes[e.To]
		if e.From == e.To {
			message = "endpoint examined"
		}
		text("was", e.From.String())
		if e.Verdict != policy.Unknown {
			text("verdict", e.Verdict.String())
			attrs = append(attrs, slog.Float64("confidence", math.Round(1000*e.Confidence)/1000))
		}
		if e.Cause != policy.None {
			text("cause", e.Cause.String())
		}
		text("why", e.Text)
	case pool.Moved:
		message = "clients moved to other endpoints"
		attrs = append(attrs, slog.Int("clients", e.N))
	case pool.OutageBegan:
		level, message = slog.LevelWarn, "no endpoint answers: our own network is taken to be down, requests wait"
		text("why", e.Text)
	case pool.OutageEnded:
		message = "the network is back"
		if e.Endpoint == nil {
			message = "it is not our own network: asking other endpoints"
		}
		text("why", e.Text)
	case pool.Canary:
		message = "nobody answers: asking one from the reserve"
	case pool.Missed:
		level, message = slog.LevelWarn, "events missed by the log"
		attrs = append(attrs, slog.Int("events", e.N))
	}
	log.LogAttrs(ctx, level, message, attrs...)
}

// changes says what has become of an endpoint.
var changes = map[policy.State]string{
	policy.Reserve:   "endpoint put into the reserve",
	policy.Active:    "endpoint in use",
	policy.Suspect:   "endpoint suspected",
	policy.Dead:      "endpoint lost",
	policy.Probation: "endpoint answers again, on probation",
	policy.Retired:   "endpoint retired",
}
