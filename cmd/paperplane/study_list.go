package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv/study"
)

func studyListCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "list [SCENARIO]",
		Short: "Say which scenarios there are, or what can be set in one and what it measures",
		Example: `  paperplane study list
  paperplane study list compat/ephemeral-aggressive`,
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     completeScenario,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("takes one scenario, got %q as well", args[1])
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listStudies(p)
			}
			s, err := studyOf(args[0])
			if err != nil {
				return err
			}
			return listStudy(p, s)
		},
	}
}

func listStudies(p *program) error {
	t := table{rows: [][]cell{heads("SCENARIO", "WHAT IT IS")}}
	for _, s := range scenarios {
		t.rows = append(t.rows, []cell{{text: s.Name}, {text: s.About}})
	}
	return t.print(p.stdout)
}

func listStudy(p *program, s study.Scenario) error {
	fmt.Fprintf(p.stdout, "%s: %s\n\n", s.Name, s.About)
	t := table{rows: [][]cell{heads("SETTING", "VALUE", "MAY BE", "WHAT IT IS")}}
	assumptions := false
	for _, have := range s.New().Settings() {
		about := have.About
		if have.Assumption {
			about += " *"
			assumptions = true
		}
		t.rows = append(t.rows, []cell{{text: have.Name}, {text: have.String()}, {text: have.Allowed(), colour: faint}, {text: about}})
	}
	if err := t.print(p.stdout); err != nil {
		return err
	}
	if assumptions {
		fmt.Fprintln(p.stdout, "* an assumption: nobody has published or measured it")
	}
	fmt.Fprintln(p.stdout)
	t = table{rows: [][]cell{heads("MEASURE", "WHAT IT IS")}}
	for _, m := range s.Columns() {
		t.rows = append(t.rows, []cell{{text: m.Name}, {text: m.About}})
	}
	return t.print(p.stdout)
}

// heads are the heads of a table's columns.
func heads(names ...string) (row []cell) {
	for _, n := range names {
		row = append(row, cell{n, faint})
	}
	return row
}
