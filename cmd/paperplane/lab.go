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
)

// labOptions is the demonstration's command line.
type labOptions struct {
	duration time.Duration
	listen   string
	seed     int
	plain    bool
}

func labCommand(p *program) *cobra.Command {
	o := &labOptions{duration: lab.DefaultLength, listen: "127.0.0.1:1080", seed: 1}
	cmd := &cobra.Command{
		Use:   "lab [flags]",
		Short: "See it work: April 2018 in two minutes, on this machine alone",
		Long: `See the relay at work in a world of its own: clouds and their tenants, three ISPs
with a relay in each, and a blocker that plays April 2018, when 19 million
addresses were blocked to stop one messenger. Everything is in this process: it
needs no privileges, and nothing leaves the machine.

The SOCKS port is real. While the lab runs, use it:

  curl -x socks5h://127.0.0.1:1080 http://telegram.lab/
  curl -C - --retry 9 --retry-all-errors -x socks5h://127.0.0.1:1080 -o big http://telegram.lab/big

Ctrl-C ends it at any time. The exit status is 0 if no request of the built-in
clients failed while an endpoint was reachable.`,
		Example: `  paperplane lab
  paperplane lab --duration 30s --listen 127.0.0.1:9050`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), p) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.Var(duration{to: &o.duration}, "duration", "how long April 2018 takes, at least 10s")
	f.Var(address{&o.listen}, "listen", "where clients connect, on this machine; port 0 takes a free one")
	f.Var(number{&o.seed, 0, math.MaxInt}, "seed", "another seed is another world")
	f.BoolVar(&o.plain, "plain", false, "write plain lines, also on a terminal")
	return cmd
}

func (o *labOptions) run(ctx context.Context, p *program) (err error) {
	if o.duration < lab.MinLength {
		return usagef("--duration: must be at least %s, got %s", short(lab.MinLength), short(o.duration))
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
	run := &lab.Lab{Length: o.duration, Seed: uint64(o.seed), Listener: l, Display: show}
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
