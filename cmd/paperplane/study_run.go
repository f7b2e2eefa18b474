package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paperplane-relay/paperplane/testenv/study"
)

// studyOptions is the command line of study run.
type studyOptions struct {
	seeds, first int
	out          string
	set          []assignment
	resume       bool
	workers      int
}

// mostSeeds is how many a study can have.
const mostSeeds = 1_000_000

func studyRunCommand(p *program) *cobra.Command {
	o := &studyOptions{seeds: 20, first: 1, workers: runtime.GOMAXPROCS(0)}
	cmd := &cobra.Command{
		Use:   "run SCENARIO [flags]",
		Short: "Play a scenario for many seeds, and say what came of it",
		Long: `Play a scenario for many seeds, on all cores, and print the mean of each measure
over the seeds, its standard deviation, and the 95 % interval of the mean. The
same seeds give the same figures, to the last digit on one kind of machine,
however many cores there are.

--out keeps it in a directory: summary.csv has a row for each seed, series.csv one
for each seed and point of time, connectivity.svg shows connectivity over time, and
manifest.json says what was played. Seeds are kept as soon as they are done: after
Ctrl-C, 'paperplane study run --resume --out DIR' does the rest, and with a larger
--seeds it adds to a study that was finished.`,
		Example: `  paperplane study run compat/ephemeral-aggressive
  paperplane study run compat/dynamic-kind-aggressive --seeds 30 --out kind --set blocker=greedy --set agents.share=0.2
  paperplane study run --resume --out kind --seeds 100`,
		ValidArgsFunction: completeScenario,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return usagef("takes one scenario, got %q as well", args[1])
			case len(args) == 0 && !o.resume:
				return usagef("needs a scenario: 'paperplane study list' says which there are")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), p, args, cmd.Flags().Changed("seeds"))
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.Var(number{&o.seeds, 1, mostSeeds}, "seeds", "how many seeds; an interval needs two")
	f.Var(number{&o.first, 0, math.MaxInt32}, "first-seed", "the first of them; the others follow")
	f.StringVar(&o.out, "out", "", "directory to keep the study in")
	f.Var(assignments{&o.set}, "set", "change a setting of the scenario; repeatable")
	f.BoolVar(&o.resume, "resume", false, "do what is missing of the study in --out")
	f.Var(number{&o.workers, 1, 4096}, "workers", "how many seeds are played at the same time")
	_ = cmd.RegisterFlagCompletionFunc("set", completeSetting)
	_ = cmd.MarkFlagDirname("out")
	return cmd
}

func (o *studyOptions) run(ctx context.Context, p *program, args []string, seedsGiven bool) error {
	r, w, err := o.prepare(args, seedsGiven)
	if err != nil {
		return err
	}
	r.manifest.Workers = o.workers
	missing := r.missing()
	began := time.Now()
	progress := p.newStatus()
	done := 0
	show := func() {
		progress.show("%s", studyProgress(len(r.results), r.manifest.Seeds.Count, done, time.Since(began)))
	}
	show()
	err = study.Run(ctx, w, missing, o.workers, func(result study.Result) error {
		done++
		if r.dir == "" {
			r.results = append(r.results, result)
		} else if err := r.add(result); err != nil {
			return err
		}
		show()
		return nil
	})
	progress.clear()
	took := time.Since(began)
	r.manifest.WallSeconds += took.Seconds()
	if r.dir != "" {
		err = errors.Join(err, r.finish())
	}
	switch {
	case errors.Is(err, context.Canceled) && r.dir == "":
		return fmt.Errorf("interrupted after %d of %s; --out would have kept them", done, count(len(missing), "seed"))
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted: %d of %s are in %s; the rest: paperplane study run --resume --out %s",
			len(r.results), count(r.manifest.Seeds.Count, "seed"), r.dir, quoteArg(r.dir))
	case err != nil:
		return err
	}
	return r.report(p, len(missing), took)
}

// prepare is the study that was asked for, new or begun.
func (o *studyOptions) prepare(args []string, seedsGiven bool) (*record, study.World, error) {
	if o.resume {
		return o.reopen(args, seedsGiven)
	}
	s, err := studyOf(args[0])
	if err != nil {
		return nil, nil, err
	}
	w := s.New()
	if err := apply(w, s, o.set); err != nil {
		return nil, nil, err
	}
	m := s.Describe(w, buildVersion(), study.Seeds{First: uint64(o.first), Count: o.seeds})
	if o.out == "" {
		return &record{scenario: s, manifest: m}, w, nil
	}
	r, err := createRecord(o.out, s, m)
	return r, w, err
}

// reopen is the study in the directory, if it is the one that was asked for.
func (o *studyOptions) reopen(args []string, seedsGiven bool) (*record, study.World, error) {
	if o.out == "" {
		return nil, nil, usagef("--resume: needs --out, with the directory of the study")
	}
	m, err := readManifest(o.out)
	if errors.Is(err, errNoRecord) {
		return nil, nil, usagef("--resume: there is no study in %s", o.out)
	}
	if err != nil {
		return nil, nil, err
	}
	if len(args) > 0 && args[0] != m.Scenario {
		return nil, nil, usagef("--resume: the study in %s is of %s", o.out, m.Scenario)
	}
	s, err := studyOf(m.Scenario)
	if err != nil {
		return nil, nil, err
	}
	w := s.New()
	for name, value := range m.Settings {
		if err := w.Settings().Set(name, fmt.Sprint(value)); err != nil {
			return nil, nil, fmt.Errorf("--resume: the study in %s was made by another version (%s): %w", o.out, m.Version, err)
		}
	}
	before := texts(w)
	if err := apply(w, s, o.set); err != nil {
		return nil, nil, err
	}
	for i, have := range w.Settings() {
		if have.String() != before[i] {
			return nil, nil, usagef("--set %s=%s: the study in %s has %s: choose another --out for it", have.Name, have, o.out, before[i])
		}
	}
	now := s.Describe(w, buildVersion(), m.Seeds)
	if now.Version != m.Version || now.GOARCH != m.GOARCH {
		return nil, nil, usagef("--resume: the study in %s was begun by version %s on %s, and this is %s on %s: figures may differ, so begin anew",
			o.out, m.Version, m.GOARCH, now.Version, now.GOARCH)
	}
	now.WallSeconds = m.WallSeconds
	if seedsGiven {
		now.Seeds.Count = max(now.Seeds.Count, o.seeds)
	}
	r := &record{dir: o.out, scenario: s, manifest: now}
	r.load()
	return r, w, r.writeManifest()
}

// texts are the values of the settings.
func texts(w study.World) (values []string) {
	for _, have := range w.Settings() {
		values = append(values, have.String())
	}
	return values
}

// report prints what came of it.
func (r *record) report(p *program, played int, took time.Duration) error {
	fmt.Fprintf(p.stdout, "%s, %s\n", r.scenario.Name, count(len(r.results), "seed"))
	if changed := r.changed(); changed != "" {
		fmt.Fprintf(p.stdout, "with %s\n", changed)
	}
	fmt.Fprintln(p.stdout)
	t := table{rows: [][]cell{heads("MEASURE", "MEAN", "SD", "95 % INTERVAL", "SEEDS")}, right: []int{1, 2, 3, 4}}
	for _, row := range r.scenario.Rows(r.results) {
		interval := "-"
		if low, high := row.Interval(); !math.IsNaN(low) {
			interval = digits(low) + " to " + digits(high)
		}
		t.rows = append(t.rows, []cell{
			{text: row.Name}, {text: digits(row.Mean())}, {text: digits(row.SD())}, {text: interval}, {text: strconv.Itoa(row.N())},
		})
	}
	if err := t.print(p.stdout); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "\n%s played in %s", count(played, "seed"), tookText(took))
	if r.dir != "" {
		fmt.Fprintf(p.stdout, "; kept in %s", r.dir)
	}
	fmt.Fprintln(p.stdout)
	return nil
}

// digits is a number for people: four digits, without an exponent.
func digits(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return "-"
	case size >= 1000 || v == 0:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case size >= 1:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}

// tookText is a span of time for people.
func tookText(d time.Duration) string {
	if d < 100*time.Second {
		return decimal(d.Seconds()) + " s"
	}
	return short(d.Round(time.Second))
}

// barWidth is that of the progress bar, in characters.
const barWidth = 30

// studyProgress is a bar, and how long the rest will take if it goes on as it went. Done
// is how many seeds this sitting has done.
func studyProgress(have, of, done int, took time.Duration) string {
	full := barWidth * have / of
	line := strings.Repeat("█", full) + strings.Repeat("░", barWidth-full) + fmt.Sprintf(" %d of %s", have, count(of, "seed"))
	if done > 0 && have < of {
		line += ", " + tookText(took/time.Duration(done)*time.Duration(of-have)) + " left"
	}
	return line
}

// quoteArg is text as a shell takes it for one argument.
func quoteArg(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("/._-+=:,@%", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
