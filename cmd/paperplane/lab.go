package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/paperplane-relay/paperplane/testenv/lab"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// labOptions is the demonstration's command line.
type labOptions struct {
	scenario string
	speed    float64
	duration time.Duration
	listen   string
	seed     int
	plain    bool
}

func labCommand(p *program) *cobra.Command {
	o := &labOptions{scenario: "april-2018", listen: "127.0.0.1:1080", seed: 1}
	cmd := &cobra.Command{
		Use:   "lab [flags]",
		Short: "See it work: April 2018 in two minutes, on this machine alone",
		Long: `See the relay at work in a world of its own: clouds and their tenants, ISPs with
a relay in each, and a blocker that plays a scenario; if no other is named, that
of April 2018, when 19 million addresses were blocked to stop one messenger.
Everything is in this process: it needs no privileges, and nothing leaves the
machine. 'paperplane scenarios' lists what there is to play, and prints one to
start one's own from.

The SOCKS port is real. While the lab runs, use it:

  curl -x socks5h://127.0.0.1:1080 http://telegram.lab/
  curl -C - --retry 9 --retry-all-errors -x socks5h://127.0.0.1:1080 -o big http://telegram.lab/big

A scenario lasts minutes or months. --speed says how many times faster than life
it is played, if not at its own speed, which makes two minutes of it. Only the
story is faster: clients, latencies and the relay keep their pace at any speed.
At 1 everything is as long as it is. At a few hundred there is time to see each
blow and how the relay recovers; at 10,000 a month takes four minutes, and blows
that were hours apart come within a second or two. Faster than that, they come
before the relay has got over the last one, and the lab is a test of endurance.

Ctrl-C ends it at any time. The exit status is 0 if no request of the built-in
clients failed while an endpoint was reachable.`,
		Example: `  paperplane lab
  paperplane lab --duration 30s --listen 127.0.0.1:9050
  paperplane lab --scenario tspu-2025
  paperplane lab --scenario ./mine.yaml --speed 500`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), p) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.scenario, "scenario", o.scenario, "what to play: a built-in `NAME`, or a file, ending in .yaml")
	f.Var(factor{&o.speed}, "speed", "play it this many times faster than life (default the scenario's own speed)")
	f.Var(duration{to: &o.duration}, "duration", "or say how long the run takes, at least 10s")
	f.Lookup("duration").DefValue = ""
	f.Var(address{&o.listen}, "listen", "where clients connect, on this machine; port 0 takes a free one")
	f.Var(number{&o.seed, 0, math.MaxInt}, "seed", "another seed is another world")
	f.BoolVar(&o.plain, "plain", false, "write plain lines, also on a terminal")
	completeScenarios(cmd, "scenario")
	return cmd
}

// length is how long the run takes; zero is the scenario's own.
func (o *labOptions) length(s *scenario.Scenario) (time.Duration, error) {
	switch {
	case o.speed != 0 && o.duration != 0:
		return 0, usagef("--speed and --duration: say one, the other follows")
	case o.duration != 0 && o.duration < lab.MinLength:
		return 0, usagef("--duration: must be at least %s, got %s", short(lab.MinLength), short(o.duration))
	case o.speed == 0:
		return o.duration, nil
	}
	length := float64(s.Lasts) / o.speed
	switch {
	case length < float64(lab.MinLength):
		return 0, usagef("--speed: %s lasts %s, and a run at least %s: must be at most %.0f, got %v",
			s.Name, scenario.FormatDuration(s.Lasts), short(lab.MinLength), math.Floor(float64(s.Lasts)/float64(lab.MinLength)), o.speed)
	case length > float64(math.MaxInt64):
		return 0, usagef("--speed: too slow, got %v", o.speed)
	}
	return time.Duration(length), nil
}

func (o *labOptions) run(ctx context.Context, p *program) (err error) {
	story, err := readScenario(o.scenario)
	if err != nil {
		return err
	}
	length, err := o.length(story)
	if err != nil {
		return err
	}
	at, err := resolveListen(o.listen)
	if err != nil {
		return err
	}
	if !onLoopback(at) {
		return usagef("--listen %s: others can reach it, and the lab is for this machine alone", o.listen)
	}
	l, err := listen(ctx, at)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is taken: choose another port with --listen", o.listen)
	}
	if err != nil {
		return err
	}
	show, closeDisplay := o.display(p.stdout)
	run := &lab.Lab{Scenario: story, Length: length, Seed: uint64(o.seed), Listener: l, Display: show}
	report, err := func() (lab.Report, error) {
		defer closeDisplay()
		return run.Run(ctx)
	}()
	if err != nil {
		return err
	}
	if _, err := report.WriteTo(p.stdout); err != nil {
		return err
	}
	if !report.OK() {
		return fmt.Errorf("%s failed while an endpoint was reachable", count(report.Failed, "request"))
	}
	return nil
}

// display is a screen on a terminal, else a journal.
func (o *labOptions) display(w io.Writer) (show lab.Display, closeDisplay func()) {
	f, ok := w.(*os.File)
	if o.plain || !ok || !isTerminal(w) || os.Getenv("TERM") == "dumb" {
		return &lab.Journal{W: w}, func() {}
	}
	s := &lab.Screen{W: w, Colour: os.Getenv("NO_COLOR") == "", Size: func() (int, int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 80, 24
		}
		return width, height
	}}
	return s, func() { _ = s.Close() }
}
