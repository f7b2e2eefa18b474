package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

func scenariosCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scenarios [NAME|FILE]",
		Short: "List the stories of blocking that can be played, print one, or check one's own",
		Long: `List the built-in scenarios: stories of blocking that 'paperplane lab --scenario'
plays. With a name, print that scenario as it is written: the clouds, ISPs,
rules and dates of it, with what is known and what is assumed, and the place to
start one's own from. With a file, ending in .yaml, say everything that is wrong
with it, or that nothing is.`,
		Example: `  paperplane scenarios
  paperplane scenarios tspu-2025 > mine.yaml
  paperplane scenarios mine.yaml`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("takes one scenario, got %q as well", args[1])
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return scenarioWords(start)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return listScenarios(p)
			case isScenarioFile(args[0]):
				return checkScenario(p, args[0])
			}
			text, err := scenario.Source(args[0])
			if err != nil {
				return usagef("%s", message(err))
			}
			_, err = p.stdout.Write(text)
			return err
		},
	}
	return cmd
}

// listScenarios prints a table of what there is.
func listScenarios(p *program) error {
	rows := [][]cell{{{"NAME", faint}, {"LASTS", faint}, {"SPEED", faint}, {"TAKES", faint}, {"STORY", faint}}}
	for _, name := range scenario.Names() {
		s, err := scenario.Builtin(name)
		if err != nil {
			return err
		}
		takes := time.Duration(float64(s.Lasts) / s.Speed).Round(time.Second)
		rows = append(rows, []cell{
			{text: name},
			{text: scenario.FormatDuration(s.Lasts)},
			{text: factor{&s.Speed}.String()},
			{text: short(takes)},
			{text: s.Summary},
		})
	}
	return table{rows: rows, right: []int{1, 2, 3}}.print(p.stdout)
}

// checkScenario says what a file holds.
func checkScenario(p *program, file string) error {
	s, err := readScenario(file)
	if err != nil {
		return err
	}
	endpoints := 0
	for _, c := range s.Clouds {
		for _, b := range c.Endpoints {
			endpoints += b.Count
		}
	}
	_, err = fmt.Fprintf(p.stdout, "%s: nothing is wrong: %s, %s from %s; %s, %s, %s; %s of the registry, %s\n",
		file, s.Title, scenario.FormatDuration(s.Lasts), s.Begins.Format("2006-01-02 15:04"),
		count(len(s.Clouds), "cloud"), count(endpoints, "endpoint"), count(len(s.ISPs), "ISP"),
		orders(len(s.Registry)), count(len(s.Events), "event"))
	return err
}

func orders(n int) string { return count(n, "order") }

// readScenario reads a built-in scenario or a file.
func readScenario(name string) (*scenario.Scenario, error) {
	if !isScenarioFile(name) {
		s, err := scenario.Builtin(name)
		if errors.Is(err, scenario.ErrUnknown) {
			return nil, usagef("--scenario: %s", message(err))
		}
		return s, err
	}
	data, err := os.ReadFile(name)
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return nil, err
	}
	s, err := scenario.Parse(name, data)
	if err != nil {
		return nil, &usageError{err: err}
	}
	return s, nil
}

// message is what an unknown name is answered with.
func message(err error) string {
	_, text, _ := strings.Cut(err.Error(), ": ")
	if strings.HasSuffix(text, "?") {
		return text
	}
	return text + "; the name of a file ends in .yaml"
}

// isScenarioFile tells a file from a built-in scenario.
func isScenarioFile(name string) bool {
	ext := filepath.Ext(name)
	return ext == ".yaml" || ext == ".yml" || strings.ContainsRune(name, filepath.Separator)
}

// scenarioWords completes names, and files.
func scenarioWords(start string) (words []string, directive cobra.ShellCompDirective) {
	for _, name := range scenario.Names() {
		if strings.HasPrefix(name, start) {
			if s, err := scenario.Builtin(name); err == nil {
				words = append(words, cobra.CompletionWithDesc(name, s.Summary))
			}
		}
	}
	if len(words) > 0 {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// completeScenarios teaches the shell what a flag takes.
func completeScenarios(cmd *cobra.Command, flag string) {
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
		return scenarioWords(start)
	})
}
