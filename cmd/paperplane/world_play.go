package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/kernel"
	"github.com/paperplane-relay/paperplane/testenv/remote"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// worldPlan is what a world is made from.
type worldPlan struct {
	scenario string
	seed     int
	speed    float64
	skip     time.Duration
	log      logging
}

func (o *worldPlan) flags(cmd *cobra.Command) {
	o.seed, o.speed = 1, 1
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.scenario, "scenario", "", "what the world is: a built-in `NAME`, or a file, ending in .yaml")
	completeScenarios(cmd, "scenario")
	f.Var(factor{&o.speed}, "speed", "how many times faster than life the scenario's dates come")
	f.Var(storyTime{&o.skip}, "skip", "how much of the scenario is over when the world begins, like 7h or 2d")
	f.Var(number{&o.seed, 0, math.MaxInt}, "seed", "another seed is another world")
}

// read reads the scenario.
func (o *worldPlan) read() (*scenario.Scenario, error) {
	if o.scenario == "" {
		return nil, usagef("--scenario: needed, the name of one, or a file: 'paperplane scenarios' lists them")
	}
	s, err := readScenario(o.scenario)
	if err != nil || o.skip == 0 {
		return s, err
	}
	if o.skip >= s.Lasts {
		return nil, usagef("--skip: must be less than %s lasts, %s", s.Name, scenario.FormatDuration(s.Lasts))
	}
	skip(s, o.skip)
	return s, nil
}

// storyTime is a time of a scenario's, which may be days.
type storyTime struct{ to *time.Duration }

func (s storyTime) String() string { return "" }
func (s storyTime) Type() string   { return "duration" }

func (s storyTime) Set(text string) (err error) {
	if *s.to, err = scenario.ParseDuration(text); err != nil {
		return fmt.Errorf("%w, got %q", err, text)
	}
	return nil
}

// stage is a world that is served and played.
type stage struct {
	world  *testenv.World
	server *remote.Server
	socket string
	log    *slog.Logger

	// over ends when somebody asks for the world's end; end does that.
	over    context.Context
	end     context.CancelFunc
	running sync.WaitGroup
	sites   *sites
}

// handedOn is the environment variable by which the path of a world's socket
// comes to the process that perform may start: there the user is root, so that
// it would look for the default elsewhere.
const handedOn = "PAPERPLANE_WORLD_PLACE"

// perform runs act on a stage, in a process that may make one: it may be another
// than this one, which then returns what the other did. Without a socket the
// world has one of its own, which whoever is not told of it does not find.
func (o *worldPlan) perform(p *program, command string, s *scenario.Scenario, socket string, act func(*stage) (int, error)) error {
	if socket != "" {
		if err := os.Setenv(handedOn, socket); err != nil {
			return &runError{err}
		}
		defer func() { _ = os.Unsetenv(handedOn) }()
	}
	return exitStatus(kernel.Main(func() int {
		// It is for nobody further down.
		_ = os.Unsetenv(handedOn)
		status, err := func() (int, error) {
			if err := kernel.Supported(); err != nil {
				return 0, fmt.Errorf("this machine cannot have such a world: %w", err)
			}
			if socket == "" {
				dir, err := os.MkdirTemp("", "paperplane-world-")
				if err != nil {
					return 0, err
				}
				defer func() { _ = os.RemoveAll(dir) }()
				// Programs may start elsewhere.
				socket = absolute(filepath.Join(dir, "world"))
			}
			w, err := o.build(o.log.logger(p.stderr), s, socket)
			if err != nil {
				return 0, err
			}
			status, err := act(w)
			return status, errors.Join(err, w.close())
		}()
		if err != nil {
			return report(p.stderr, command, &runError{err})
		}
		return status
	}))
}

// build makes the world, serves it, and lets the scenario begin.
func (o *worldPlan) build(log *slog.Logger, s *scenario.Scenario, socket string) (_ *stage, err error) {
	l, err := remote.Listen(socket)
	if err != nil {
		return nil, err
	}
	w := &stage{socket: socket, log: log}
	w.over, w.end = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close(), l.Close())
		}
	}()
	for _, what := range approximate(s) {
		log.Warn("packets do not show names: " + what)
	}
	if w.world, err = testenv.Open(testenv.Config{Seed: uint64(o.seed), Backend: testenv.Kernel, Logger: log}); err != nil {
		return nil, err
	}
	play, err := s.Build(w.world, scenario.Options{Speed: o.speed, Seed: uint64(o.seed)})
	if err != nil {
		return nil, err
	}
	if left := w.world.Omitted(); len(left) > 0 {
		log.Warn("latencies are left out, so round trips are next to nothing", "count", len(left), "first", left[0])
	}
	if w.sites, err = openSites(w.world); err != nil {
		return nil, err
	}
	w.running.Go(func() {
		if err := play.Play(w.over); err != nil && w.over.Err() == nil {
			log.Error("the scenario does not go on", "err", err)
		}
	})
	w.server = &remote.Server{World: w.world, Logger: log, Down: w.end}
	w.running.Go(func() {
		if err := w.server.Serve(l); err != nil {
			log.Error("the world's socket has failed", "err", err)
		}
	})
	return w, nil
}

// close ends all of it: programs first, which find their network as it was.
func (w *stage) close() error {
	w.end()
	var errs []error
	if w.server != nil {
		errs = append(errs, w.server.Close())
	}
	if w.sites != nil {
		w.sites.close()
	}
	w.running.Wait()
	if w.world != nil {
		errs = append(errs, w.world.Close())
	}
	return errors.Join(errs...)
}

// approximate takes out of a scenario what goes by names, which packets do not
// show, and says what it was.
func approximate(s *scenario.Scenario) (said []string) {
	strip := func(rules []scenario.Rule, where string) []scenario.Rule {
		return slices.DeleteFunc(rules, func(r scenario.Rule) bool {
			if len(r.When.Names) > 0 {
				said = append(said, fmt.Sprintf("a rule for %s%s is left out", count(len(r.When.Names), "name"), where))
			}
			return len(r.When.Names) > 0
		})
	}
	exempt := func(rules []scenario.Rule, where string) {
		for i := range rules {
			if n := len(rules[i].When.ExceptNames); n > 0 {
				said = append(said, fmt.Sprintf("a rule that exempts %s%s exempts none", count(n, "name"), where))
				rules[i].When.ExceptNames = nil
			}
		}
	}
	s.Rules = strip(s.Rules, "")
	exempt(s.Rules, "")
	for i := range s.ISPs {
		where := " at " + s.ISPs[i].Name
		s.ISPs[i].Rules = strip(s.ISPs[i].Rules, where)
		exempt(s.ISPs[i].Rules, where)
	}
	return said
}

// environment is that of a program inside: the user's, and the way to the world.
func environment(socket string) []string {
	kept := slices.DeleteFunc(os.Environ(), func(v string) bool {
		// What the world's process was told when it was started is its own.
		return strings.HasPrefix(v, remote.Variable+"=") || strings.HasPrefix(v, "PAPERPLANE_KERNEL_")
	})
	return append(kept, remote.Variable+"="+socket)
}
