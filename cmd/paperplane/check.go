package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// errNoneAlive is the answer that a script wants to know of.
var errNoneAlive = errors.New("no endpoint is alive")

// checkOptions is the command line of check.
type checkOptions struct {
	endpoints string
	json      bool
	timeout   time.Duration
	parallel  int
	probes    probeTargets
	yes       bool
	log       logging
}

func checkCommand(p *program) *cobra.Command {
	o := &checkOptions{timeout: 15 * time.Second, parallel: 32}
	cmd := &cobra.Command{
		Use:   "check [flags] [URL ...]",
		Short: "Look at each endpoint once and say what is wrong with it",
		Long: `Look at each endpoint once, in parallel: five TCP handshakes, SOCKS greeting,
login, and transfers that are long enough to see a flow being frozen or slowed,
both ways where the endpoint is 'paperplane exit'. It takes up to 224 KiB each, and
about three times as much where one is slow. The exit status is 0 if any endpoint
is alive.

What does not come out alive is looked at once more through up to two that did,
if there are any: what answers them and not us is blocked, what answers neither is
down. Nothing but a SOCKS greeting, without credentials, is sent that way. It is
also asked to reach one of those that did, which shows whoever runs it that address.

To look at an endpoint is to show its address to the network in between. So check
says how many addresses it is about to show, and asks first; where there is no
terminal to ask on, it needs --yes.`,
		Example: `  paperplane check --endpoints endpoints.txt
  paperplane check --yes --json socks5://198.51.100.7:1080 | jq '.endpoints[].verdict'`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), p, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.endpoints, "endpoints", "", "file with one endpoint URL a line; - reads standard input")
	f.BoolVar(&o.json, "json", false, "print one JSON document instead of a table")
	f.Var(duration{to: &o.timeout}, "timeout", "longest look at one endpoint")
	f.Var(number{&o.parallel, 1, 1024}, "parallel", "endpoints looked at at the same time")
	f.Var(&o.probes, "probe", "URL to fetch through each endpoint; repeatable (default: what 'paperplane exit' serves itself)")
	f.BoolVar(&o.yes, "yes", false, "do not ask before showing addresses to the network")
	o.log.flags(cmd)
	o.log.level = "warn"
	cmd.Flag("log-level").DefValue = "warn"
	return cmd
}

func (o *checkOptions) run(ctx context.Context, p *program, args []string) error {
	specs, err := p.endpoints(ctx, o.endpoints, args, o.log.logger(p.stderr))
	if err != nil {
		return err
	}
	if ok, err := o.mayExpose(ctx, p, specs); !ok {
		return err
	}
	prober := &probe.Prober{Upstream: &upstream.Dialer{}, Targets: o.probes.targets, Limit: o.timeout}
	findings := o.look(ctx, p, prober, specs)
	if err := context.Cause(ctx); err != nil {
		return errors.New("interrupted")
	}
	if err := o.print(p, findings); err != nil {
		return err
	}
	if !slices.ContainsFunc(findings, finding.alive) {
		return errNoneAlive
	}
	return nil
}

// mayExpose asks the user before addresses are shown to the network. Endpoints
// on loopback are shown to nobody.
func (o *checkOptions) mayExpose(ctx context.Context, p *program, specs []policy.Spec) (bool, error) {
	exposed := 0
	for _, s := range specs {
		if !s.Addr.IsLoopback() {
			exposed++
		}
	}
	switch {
	case o.yes || exposed == 0:
		return true, nil
	case !isTerminal(p.stdin) || !isTerminal(p.stderr):
		return false, usagef("--yes: needed to expose %s to this network, as there is no terminal to ask on",
			count(exposed, "address"))
	case !p.confirm(ctx, fmt.Sprintf("This shows %s to the network in between, perhaps for the first time. Go on?",
		count(exposed, "address"))):
		return false, errors.New("nothing was sent")
	}
	return true, nil
}

// examiner looks at one endpoint, as probe.Prober does.
type examiner interface {
	Probe(ctx context.Context, spec policy.Spec, look policy.Look) policy.Examination
}

// look examines all endpoints and returns what it found in their order. Those that
// are not well are looked at from elsewhere too.
//
// A download that fails says nothing of the endpoint while the target is not
// known to work. So when all are done and it did work through one, those that
// got the benefit of the doubt are looked at once more.
func (o *checkOptions) look(ctx context.Context, p *program, with examiner, specs []policy.Spec) []finding {
	findings := make([]finding, len(specs))
	all := make([]int, len(specs))
	for i := range specs {
		all[i] = i
	}
	straight := func(i int) finding {
		return conclude(specs[i], with.Probe(ctx, specs[i], policy.Look{Depth: policy.Carry, Doubtful: true, Patience: handshake}))
	}
	o.pass(ctx, p, all, findings, straight)
	if len(o.probes.targets) > 0 && slices.ContainsFunc(findings, func(f finding) bool { return f.look.Down.Outcome == policy.Answered }) {
		doubtful := slices.DeleteFunc(all, func(i int) bool {
			return findings[i].look.Greeting != policy.Answered || findings[i].look.Down.Outcome != policy.None
		})
		o.pass(ctx, p, doubtful, findings, straight)
	}
	o.elsewhere(ctx, p, with, specs, findings)
	return findings
}

// handshake is how long a TCP handshake may take before an endpoint is called silent:
// long enough for a repeated SYN, and for a way over a satellite.
const handshake = 2 * time.Second

// pass looks at the endpoints with the given indices, some at a time.
func (o *checkOptions) pass(ctx context.Context, p *program, indices []int, findings []finding, look func(i int) finding) {
	if len(indices) == 0 || ctx.Err() != nil {
		return
	}
	next, done := make(chan int), make(chan int)
	var workers sync.WaitGroup
	for range min(o.parallel, len(indices)) {
		workers.Go(func() {
			for i := range next {
				findings[i] = look(i)
				done <- i
			}
		})
	}
	workers.Go(func() {
		defer close(next)
		for _, i := range indices {
			next <- i
		}
	})
	progress := p.newStatus()
	defer progress.clear()
	alive := 0
	for n := range indices {
		progress.show("checking %s: %d done, %d alive", count(len(indices), "endpoint"), n, alive)
		if findings[<-done].alive() {
			alive++
		}
	}
	workers.Wait()
}
