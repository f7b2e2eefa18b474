package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv/study"
	"github.com/paperplane-relay/paperplane/testenv/study/compat"
)

// scenarios are the worlds that can be studied, in the order in which list shows them.
var scenarios = slices.Concat(compat.Scenarios())

func studyCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "study",
		Short: "Simulate many clients and a blocker, for many seeds, in virtual time",
		Long: `Simulate a world of clients, endpoints and a blocker, in virtual time: many of
them, for many seeds, with what comes out of each and how sure that is.

A scenario is such a world by name. 'paperplane study list' says which there are,
and 'paperplane study list SCENARIO' what can be set in one and what it measures.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			var names []string
			for _, c := range cmd.Commands() {
				names = append(names, c.Name())
			}
			if near := study.Nearest(args[0], names); len(near) > 0 {
				return usagef("unknown command %q: is it %q?", args[0], near[0])
			}
			return usagef("unknown command %q", args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(studyRunCommand(p), studyListCommand(p))
	return cmd
}

// studyOf is the scenario of a name.
func studyOf(name string) (study.Scenario, error) {
	s, near, ok := study.Find(scenarios, name)
	switch {
	case ok:
		return s, nil
	case len(near) > 0:
		return s, usagef("unknown scenario %q: is it %s?", name, strings.Join(near, " or "))
	}
	return s, usagef("unknown scenario %q: 'paperplane study list' says which there are", name)
}

// completeScenario offers the names of the scenarios for the first argument.
func completeScenario(_ *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, s := range scenarios {
		if len(args) == 0 && strings.HasPrefix(s.Name, start) {
			names = append(names, cobra.CompletionWithDesc(s.Name, s.About))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
