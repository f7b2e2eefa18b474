package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv/bench"
)

// benchOptions is the load generator's command line.
type benchOptions struct {
	rounds int
	quick  bool
	origin bool
	only   []string
	binary string
	json   bool
}

func benchCommand(p *program) *cobra.Command {
	o := &benchOptions{rounds: 3, origin: true}
	cmd := &cobra.Command{
		Use:   "bench [flags]",
		Short: "Measure the relay on this machine, against others that are installed",
		Long: `Measure the relay on this machine: bytes and connections a second, what they cost
in CPU time, and what an idle stream costs. Beside it, in the same rounds, are no
relay at all ("straight") and those of microsocks, dante and haproxy that are
installed.

Every relay is a process of its own, between this one and a third that answers
SOCKS, behind which is the destination in a fourth, all on loopback. Started as
root, it runs them as nobody. 9,000 idle streams need 18,200 descriptors ('ulimit -n'). It takes about
half a minute a relay and round; nothing else should be running.`,
		Example: `  paperplane bench
  paperplane bench --quick --rounds 1 --only paperplane,microsocks`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), p) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.Var(number{&o.rounds, 1, 99}, "rounds", "how many turns each relay has")
	f.BoolVar(&o.quick, "quick", false, "a third of the time, for a first look")
	f.BoolVar(&o.origin, "origin", true, "have the destination in a process of its own; false has the one that answers SOCKS play it, and leaves more of the time to the relay")
	f.StringSliceVar(&o.only, "only", nil, "measure only these, besides straight: words that names begin with")
	f.StringVar(&o.binary, "binary", "", "another paperplane to measure; the default is this one")
	f.BoolVar(&o.json, "json", false, "print one JSON document, with the rounds, instead of tables")
	cmd.AddCommand(upstreamCommand(p))
	return cmd
}

// upstreamCommand is the process behind the relays. It is not for users.
func upstreamCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:    "upstream ADDRESS [ORIGIN]",
		Hidden: true,
		Args:   cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := netip.ParseAddr(args[0])
			if err != nil || !at.IsLoopback() {
				return usagef("must be an address of this machine alone, got %q", args[0])
			}
			var origin *bench.Ports
			if len(args) > 1 {
				ports, err := bench.ParsePorts(args[1])
				if err != nil {
					return err
				}
				origin = &ports
			}
			u, err := bench.NewUpstream(at, origin)
			if err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, u.Ports())
			<-cmd.Context().Done()
			return u.Close()
		},
	}
}

func (o *benchOptions) run(ctx context.Context, p *program) error {
	if runtime.GOOS != "linux" {
		return errors.New("it needs Linux: there is no other way to see what a process costs")
	}
	program, warms, err := o.program(ctx, p)
	if err != nil {
		return err
	}
	program, remove, err := bench.Publish(program)
	if err != nil {
		return err
	}
	defer remove()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	self, remove, err = bench.Publish(self)
	if err != nil {
		return err
	}
	defer remove()
	peers, missing := bench.Find(bench.Peers...)
	contenders, err := o.choose(slices.Concat(ours(program, warms), peers))
	if err != nil {
		return err
	}
	b := &bench.Bench{
		Contenders: contenders, Upstream: []string{self, "bench", "upstream"}, Origin: o.origin, Rounds: o.rounds, Loads: bench.Full(),
	}
	if o.quick {
		b.Loads = bench.Quick()
	}
	progress := p.newStatus()
	b.Progress = func(format string, args ...any) { progress.show(format, args...) }
	report, err := b.Run(ctx)
	if err == nil {
		report.FirstBytes, err = bench.FirstBytes(ctx, warms)
	}
	progress.clear()
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	for _, m := range missing {
		report.Notes = append(report.Notes, fmt.Sprintf("%s is not installed (Debian package %s)", m.Program, m.Package))
	}
	if o.json {
		e := json.NewEncoder(p.stdout)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	_, err = report.WriteTo(p.stdout)
	return err
}

// program is the one to measure, and whether it can keep connections warm.
func (o *benchOptions) program(ctx context.Context, p *program) (path string, warms bool, err error) {
	if o.binary == "" {
		path, err = os.Executable()
		return path, relayCommand(p).Flags().Lookup("warm") != nil, err
	}
	help, err := exec.CommandContext(ctx, o.binary, "relay", "--help").Output()
	if err != nil {
		return "", false, fmt.Errorf("--binary %s: %w", o.binary, err)
	}
	return o.binary, strings.Contains(string(help), "--warm "), nil
}

// ours are the relays of this program that there are to measure. Warms is
// whether it can keep connections warm.
func ours(program string, warms bool) []bench.Contender {
	with := func(name, note string, flags ...string) bench.Contender {
		return bench.Contender{Name: name, Note: note, Command: func(_ string, listen, upstream netip.AddrPort) ([]string, error) {
			argv := []string{program, "relay", "--listen", listen.String(), "--max-clients", "9400", "--log-level", "warn"}
			return append(append(argv, flags...), "socks5://"+upstream.String()), nil
		}}
	}
	if !warms {
		return []bench.Contender{with("paperplane", "")}
	}
	return []bench.Contender{
		with("paperplane", "--warm 0: every connection is new", "--warm", "0"),
		with("paperplane, warm", ""),
	}
}

// choose puts straight before those that were asked for.
func (o *benchOptions) choose(all []bench.Contender) ([]bench.Contender, error) {
	chosen := []bench.Contender{bench.Straight()}
	for _, c := range all {
		if len(o.only) == 0 || slices.ContainsFunc(o.only, func(word string) bool { return strings.HasPrefix(c.Name, word) }) {
			chosen = append(chosen, c)
		}
	}
	for _, word := range o.only {
		if !slices.ContainsFunc(all, func(c bench.Contender) bool { return strings.HasPrefix(c.Name, word) }) {
			return nil, usagef("--only: there is no %q here", word)
		}
	}
	return chosen, nil
}
