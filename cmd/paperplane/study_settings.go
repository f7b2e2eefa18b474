package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv/study"
)

// assignment is a value for a setting, as the user writes it.
type assignment struct{ name, value string }

func (a assignment) String() string { return a.name + "=" + a.value }

// assignments is a list of them; every use of the flag adds one.
type assignments struct{ to *[]assignment }

func (assignments) String() string { return "" }
func (assignments) Type() string   { return "name=value" }

func (a assignments) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return fmt.Errorf("must be name=value, got %q", s)
	}
	*a.to = append(*a.to, assignment{name, strings.TrimSpace(value)})
	return nil
}

// apply sets what the user asked for.
func apply(to study.World, s study.Scenario, set []assignment) error {
	settings := to.Settings()
	for _, a := range set {
		if err := settings.Set(a.name, a.value); err != nil {
			return &usageError{err: fmt.Errorf("--set %s: %w ('paperplane study list %s' says what can be set)", a, err, s.Name)}
		}
	}
	if err := to.Validate(); err != nil {
		return usagef("--set %w", err)
	}
	return nil
}

// completeSetting offers the names of what can be set, and the words that one can be
// set to.
func completeSetting(_ *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	s, _, ok := study.Find(scenarios, args[0])
	if !ok {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var offers []string
	for _, have := range s.New().Settings() {
		offer := have.Name + "="
		if strings.HasPrefix(offer, start) && offer != start {
			offers = append(offers, cobra.CompletionWithDesc(offer, have.About))
		}
		for _, w := range have.Words() {
			if strings.HasPrefix(start, offer) && strings.HasPrefix(offer+w, start) {
				offers = append(offers, offer+w)
			}
		}
	}
	return offers, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
