package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Prober examines one endpoint. It must honour ctx, return within about
// 15 seconds, and be safe for concurrent use.
type Prober interface {
	Probe(ctx context.Context, spec policy.Spec, look policy.Look) policy.Examination
}

// ProberFunc lets a function be a [Prober].
type ProberFunc func(ctx context.Context, spec policy.Spec, look policy.Look) policy.Examination

// Probe calls f.
func (f ProberFunc) Probe(ctx context.Context, spec policy.Spec, look policy.Look) policy.Examination {
	return f(ctx, spec, look)
}

// Config is how a pool is to behave. The zero value is usable.
type Config struct {
	// Active is how many endpoints serve at once, 1 to 256; zero means 8. It
	// overrides Limits.Active.
	Active int
	// Limits are the numbers behind the pool's decisions.
	Limits policy.Limits
	// Selector orders the active endpoints for a client; nil means
	// policy.Sticky.
	Selector policy.Selector
	// Prober examines endpoints. Without one an endpoint in doubt is never
	// examined: silence then condemns nobody, and only traffic speaks.
	Prober Prober
	// Controls are hosts outside of the pool that tell trouble of our own network
	// from that of the endpoints. Without any, reserve endpoints are exposed to
	// find out. Their number overrides Limits.Controls.
	Controls []Control
	// RotateEvery moves each client to a fresh choice of endpoints at this
	// interval, at its own moment; zero means never.
	RotateEvery time.Duration
	// Seed makes the pool's draws repeatable; equal seeds and equal events give
	// equal decisions. Zero is a seed like any other.
	Seed uint64
	// Logger gets one line per change of state; nil discards them.
	Logger *slog.Logger
}

func (c Config) limits() policy.Limits {
	l := c.Limits
	if c.Active != 0 {
		l.Active = c.Active
	}
	l.Controls = len(c.Controls)
	return l
}

// Validate says all that is wrong with the configuration at once.
func (c Config) Validate() error {
	errs := []error{c.limits().Validate()}
	if c.RotateEvery < 0 {
		errs = append(errs, fmt.Errorf("rotation interval: must not be negative, got %s", c.RotateEvery))
	}
	if slices.Contains(c.Controls, nil) {
		errs = append(errs, errors.New("controls: one of them is nil"))
	}
	return errors.Join(errs...)
}
