package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// Lab is a demonstration that can be run once.
type Lab struct {
	// Scenario is what to play; nil means the built-in april-2018.
	Scenario *scenario.Scenario
	// Length is how long the run takes; zero means what the scenario's own speed
	// makes of it, or 2 min if it has none. The least is 10 s.
	Length time.Duration
	// Seed decides addresses, the pools' draws and the pace of the clients.
	// What the scheduler of the machine decides, it does not.
	Seed uint64
	// Listener is where the first ISP's relay serves clients. It must be on
	// loopback. Nil means one at a free port. Run closes it.
	Listener net.Listener
	// Display shows the run while it goes on; nil shows nothing.
	Display Display
	// Logger is given to relays, pools and the world; nil discards.
	Logger *slog.Logger
}

// The bounds of Length.
const (
	DefaultLength = 2 * time.Minute
	MinLength     = 10 * time.Second
)

// defaultScenario is what a lab plays that is not told what to.
const defaultScenario = "april-2018"

// patience is how long a request may take to its first byte. A user's is about
// that long, and shorter than the relay's default of 30 s.
const patience = 10 * time.Second

// Validate reports everything that keeps the lab from running, joined.
func (l *Lab) Validate() error {
	var errs []error
	s, err := l.scenario()
	if err == nil {
		err = s.Validate()
	}
	errs = append(errs, err)
	if s != nil && !launches(s) {
		errs = append(errs, fmt.Errorf("%s: has no endpoints, and so nothing for a relay to do: give a cloud some, like 'endpoints: [{count: 8}]'", s.Name))
	}
	if length := l.length(s); length < MinLength {
		errs = append(errs, fmt.Errorf("length: must be at least %s, got %s", MinLength, length))
	}
	return errors.Join(errs...)
}

// launches reports whether there are ever endpoints.
func launches(s *scenario.Scenario) bool {
	return slices.ContainsFunc(s.Clouds, func(c scenario.Cloud) bool { return len(c.Endpoints) > 0 }) ||
		slices.ContainsFunc(s.Events, func(e scenario.Event) bool { return len(e.Launch) > 0 })
}

func (l *Lab) scenario() (*scenario.Scenario, error) {
	if l.Scenario != nil {
		return l.Scenario, nil
	}
	return scenario.Builtin(defaultScenario)
}

// length is how long a run of a scenario takes.
func (l *Lab) length(s *scenario.Scenario) time.Duration {
	switch {
	case l.Length != 0:
		return l.Length
	case s == nil || s.Speed <= 0:
		return DefaultLength
	}
	return time.Duration(float64(s.Lasts) / s.Speed)
}

// Run plays the scenario to its end, or until ctx ends, and reports what
// happened. An end of ctx is no error: the report then says Interrupted. When
// Run returns, nothing of it is left: no goroutine, no listener.
func (l *Lab) Run(ctx context.Context) (report Report, err error) {
	if err := l.Validate(); err != nil {
		return Report{}, errors.Join(fmt.Errorf("lab: %w", err), closeListener(l.Listener))
	}
	s, err := l.scenario()
	if err != nil {
		return Report{}, errors.Join(fmt.Errorf("lab: %w", err), closeListener(l.Listener))
	}
	r := newRun(l, s)
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.build(l.Listener); err != nil {
		return Report{}, fmt.Errorf("lab: %w", err)
	}
	r.start()
	r.show()
	if err := r.stage.Play(ctx); err != nil && ctx.Err() == nil {
		return Report{}, fmt.Errorf("lab: %w", err)
	}
	r.finish(ctx)
	return r.report(ctx.Err() != nil), nil
}

func closeListener(l net.Listener) error {
	if l == nil {
		return nil
	}
	return l.Close()
}
