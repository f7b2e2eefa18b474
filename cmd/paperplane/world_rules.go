package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/remote"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

func worldBlockCommand(p *program) *cobra.Command {
	f := &worldFlags{}
	var do, direction string
	var ports []int
	var share float64
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "block CIDR... [flags]",
		Short: "Block prefixes: at one ISP, by a rule, or everywhere, by the registry",
		Long: `Block prefixes, or single addresses, in a running world.

With --isp a rule is added there, in force at once, and its number is printed:
--do says what it does, and the other flags to what. Without --isp the registry
lists them: each ISP applies it in its own way, after its own lag.

What can be done: drop, reset, reject (by ICMP), freeze:16KiB (the first bytes of a
flow pass, then nothing), freeze:25packets, police:64kbit/s. ",counting:down" after
a freeze counts one direction only.`,
		Example: `  paperplane world block 52.58.0.0/15 --isp mts --do freeze:16KiB
  paperplane world block 52.58.4.7 --isp mts --do reset --port 1080
  paperplane world block 52.58.0.0/15`,
		Args: needPrefixes,
		RunE: func(cmd *cobra.Command, args []string) error {
			prefixes, err := worldPrefixes(args)
			if err != nil {
				return err
			}
			if f.isp == "" {
				for _, flag := range []string{"do", "port", "direction", "share", "for"} {
					if cmd.Flags().Changed(flag) {
						return usagef("--%s: needs --isp, as the registry says what to block, and each ISP how", flag)
					}
				}
				return f.client().Enter(cmd.Context(), remote.Registry{Block: prefixes})
			}
			r := remote.Rule{Prefixes: prefixes, Do: do, Probability: share, Direction: direction}
			for _, n := range ports {
				r.Ports = append(r.Ports, uint16(n))
			}
			if lasts > 0 {
				r.Until = time.Now().Add(lasts)
			}
			id, err := f.client().Add(cmd.Context(), f.isp, r)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.stdout, uint64(id))
			return err
		},
	}
	f.flags(cmd)
	f.ispFlag(cmd, "add a rule at this `ISP`")
	do = "drop"
	cmd.Flags().Var(action{&do}, "do", "what the rule does")
	_ = cmd.RegisterFlagCompletionFunc("do", cobra.FixedCompletions(
		[]string{"drop", "reset", "reject", "freeze:16KiB", "freeze:25packets", "police:64kbit/s"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().Var(worldPorts{&ports}, "port", "only flows to this port; repeatable")
	choiceFlag(cmd, &direction, "direction", "only packets of one direction, up being from the ISP's customers", "up", "down")
	cmd.Flags().Var(worldShare{&share}, "share", "only this share of the flows, like 25%")
	cmd.Flags().Var(duration{to: &lasts}, "for", "how long the rule is in force; without it, until it is removed")
	cmd.Flags().Lookup("for").DefValue = ""
	return cmd
}

func worldUnblockCommand(*program) *cobra.Command {
	f := &worldFlags{}
	var all bool
	cmd := &cobra.Command{
		Use:   "unblock {CIDR | RULE}... [flags]",
		Short: "Undo 'block': remove rules at one ISP, or strike prefixes off the registry",
		Long: `Undo 'block' in a running world. With --isp, rules are removed there: by their
numbers, or those for exactly a prefix. Without it, prefixes are struck off the
registry's list, as they were listed. Flows that were frozen or silenced go on.`,
		Example: `  paperplane world unblock 3 --isp mts
  paperplane world unblock 52.58.0.0/15 --isp mts
  paperplane world unblock --all --isp mts
  paperplane world unblock 52.58.0.0/15`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case all && f.isp == "":
				return usagef("--all: needs --isp")
			case all == (len(args) > 0):
				return usagef("needs a prefix or a rule's number, or --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.isp == "" {
				prefixes, err := worldPrefixes(args)
				if err != nil {
					return err
				}
				return f.client().Enter(cmd.Context(), remote.Registry{Unblock: prefixes})
			}
			if all {
				_, err := f.client().Replace(cmd.Context(), f.isp, nil)
				return err
			}
			rules, err := f.client().Rules(cmd.Context(), f.isp)
			if err != nil {
				return err
			}
			var ids []blocker.RuleID
			for _, a := range args {
				found, err := match(rules, a, f.isp)
				if err != nil {
					return err
				}
				ids = append(ids, found...)
			}
			slices.Sort(ids)
			for _, id := range slices.Compact(ids) {
				if err := f.client().Remove(cmd.Context(), f.isp, id); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f.flags(cmd)
	f.ispFlag(cmd, "remove rules at this `ISP`")
	cmd.Flags().BoolVar(&all, "all", false, "remove all rules of the ISP; the registry's stays")
	return cmd
}

// match finds the rules that an argument means.
func match(rules []remote.Rule, arg, isp string) (ids []blocker.RuleID, err error) {
	if n, err := strconv.ParseUint(arg, 10, 64); err == nil {
		return []blocker.RuleID{blocker.RuleID(n)}, nil
	}
	prefixes, err := worldPrefixes([]string{arg})
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		if slices.Equal(r.Prefixes, prefixes) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s has no rule for just %s: 'paperplane world rules' lists them", isp, arg)
	}
	return ids, nil
}

func worldRulesCommand(p *program) *cobra.Command {
	f := &worldFlags{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rules [flags]",
		Short: "List the rules in force, at one ISP or at all",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				if err := f.needISP(); err != nil {
					return err
				}
				rules, err := f.client().Rules(cmd.Context(), f.isp)
				if err != nil {
					return err
				}
				return printDocument(p.stdout, remote.Rules{Rules: append([]remote.Rule{}, rules...)})
			}
			names, err := f.isps(cmd.Context())
			if err != nil {
				return err
			}
			t := table{right: []int{1}, rows: [][]cell{{{text: "ISP"}, {text: "RULE"}, {text: "DO"}, {text: "TO"}}}}
			for _, isp := range names {
				rules, err := f.client().Rules(cmd.Context(), isp)
				if err != nil {
					return err
				}
				for _, r := range rules {
					t.rows = append(t.rows, []cell{{text: isp}, {text: strconv.FormatUint(uint64(r.ID), 10)}, {text: r.Do}, {text: conditions(r)}})
				}
			}
			return t.print(p.stdout)
		},
	}
	f.flags(cmd)
	f.ispFlag(cmd, "only this `ISP`'s")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one ISP's rules as JSON, as 'replace' takes them")
	return cmd
}

// conditions are a rule's, in a line.
func conditions(r remote.Rule) string {
	var all []string
	few := func(words []string) string {
		const most = 4
		if more := len(words) - most; more > 0 {
			words = append(words[:most:most], fmt.Sprintf("and %d more", more))
		}
		return strings.Join(words, ", ")
	}
	switch {
	case r.Registry:
		all = append(all, "what the registry lists, "+count(r.Listed, "prefix"))
	case len(r.Prefixes) > 0:
		var words []string
		for _, x := range r.Prefixes {
			words = append(words, x.String())
		}
		all = append(all, few(words))
	default:
		all = append(all, "everything")
	}
	for _, port := range r.Ports {
		all = append(all, fmt.Sprintf("port %d", port))
	}
	if len(r.Names) > 0 {
		all = append(all, few(r.Names))
	}
	if len(r.ExceptNames) > 0 {
		all = append(all, "not "+few(r.ExceptNames))
	}
	if r.Cycle.Every > 0 {
		all = append(all, fmt.Sprintf("%s of every %s", short(seconds(r.Cycle.On)), short(seconds(r.Cycle.Every))))
	}
	if r.Direction != "" {
		all = append(all, r.Direction+" only")
	}
	if r.Probability > 0 {
		all = append(all, fmt.Sprintf("%.3g %% of flows", 100*r.Probability))
	}
	if !r.From.IsZero() {
		all = append(all, "from "+r.From.Format(time.DateTime))
	}
	if !r.Until.IsZero() {
		all = append(all, "until "+r.Until.Format(time.DateTime))
	}
	if r.Idle {
		all = append(all, "not now")
	}
	return strings.Join(all, "; ")
}

func worldReplaceCommand(p *program) *cobra.Command {
	f := &worldFlags{}
	cmd := &cobra.Command{
		Use:   "replace --isp ISP [FILE] [flags]",
		Short: "Put other rules in the place of all at one ISP, at once",
		Long: `Put the rules of a file, or of standard input, in the place of all at one ISP of a
running world, in one step: no packet is judged by half of them. It is JSON as
'paperplane world rules --json' prints it; what applies the registry stays as it is.`,
		Example: `  paperplane world rules --isp mts --json >rules.json
  paperplane world replace --isp mts rules.json
  echo '{"rules":[{"prefixes":["52.58.0.0/15"],"do":"freeze:16KiB"}]}' | paperplane world replace --isp mts`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("takes one file, got %q as well", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.needISP(); err != nil {
				return err
			}
			in, name := p.stdin, "standard input"
			if len(args) > 0 && args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer file.Close()
				in, name = file, args[0]
			}
			rules, err := readRules(in)
			if err != nil {
				return &usageError{err: fmt.Errorf("%s: %w", name, err)}
			}
			_, err = f.client().Replace(cmd.Context(), f.isp, rules)
			return err
		},
	}
	f.flags(cmd)
	f.ispFlag(cmd, "at this `ISP`")
	return cmd
}

// readRules reads rules as they are printed. What the world says of a rule is no
// part of it.
func readRules(in io.Reader) (rules []remote.Rule, err error) {
	var document remote.Rules
	d := json.NewDecoder(in)
	d.DisallowUnknownFields()
	if err := d.Decode(&document); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the end of it")
	}
	if document.Rules == nil {
		return nil, errors.New(`must be like {"rules":[...]}`)
	}
	for _, r := range document.Rules {
		if !r.Registry {
			r.ID, r.Idle = 0, false
			rules = append(rules, r)
		}
	}
	return rules, nil
}

func worldCutCommand(*program) *cobra.Command {
	f := &worldFlags{}
	cmd := &cobra.Command{
		Use:   "cut --isp ISP [flags]",
		Short: "Take an ISP's network down: silence, and nobody's blocking",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.needISP(); err != nil {
				return err
			}
			return f.client().Cut(cmd.Context(), f.isp)
		},
	}
	f.flags(cmd)
	f.ispFlag(cmd, "which `ISP`")
	return cmd
}

func worldRestoreCommand(*program) *cobra.Command {
	f := &worldFlags{}
	cmd := &cobra.Command{
		Use:   "restore --isp ISP [flags]",
		Short: "End a 'cut'",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.needISP(); err != nil {
				return err
			}
			return f.client().Restore(cmd.Context(), f.isp)
		},
	}
	f.flags(cmd)
	f.ispFlag(cmd, "which `ISP`")
	return cmd
}

// needPrefixes wants something to block.
func needPrefixes(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("needs a prefix, like 52.58.0.0/15")
	}
	return nil
}

// action is what a rule does.
type action struct{ to *string }

func (a action) String() string {
	if a.to == nil {
		return ""
	}
	return *a.to
}
func (a action) Type() string { return "action" }

func (a action) Set(s string) error {
	if _, err := scenario.ParseAction(s); err != nil {
		return err
	}
	*a.to = s
	return nil
}

// worldPorts is a list of ports; every use of the flag adds one.
type worldPorts struct{ to *[]int }

func (p worldPorts) String() string { return "" }
func (p worldPorts) Type() string   { return "port" }

func (p worldPorts) Set(s string) error {
	var port int
	if err := (number{&port, 1, math.MaxUint16}).Set(s); err != nil {
		return err
	}
	*p.to = append(*p.to, port)
	return nil
}

// worldShare is a share of flows.
type worldShare struct{ to *float64 }

func (s worldShare) String() string { return "" }
func (s worldShare) Type() string   { return "share" }

func (s worldShare) Set(text string) error {
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(number, 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v > 0 && v <= 1) {
		return fmt.Errorf("must be a share like 0.25 or 25%%, got %q", text)
	}
	*s.to = v
	return nil
}
