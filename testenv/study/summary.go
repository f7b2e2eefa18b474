package study

import (
	"cmp"
	"encoding/csv"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/paperplane-relay/paperplane/testenv/study/stat"
)

// sorted are the results by seed.
func sorted(results []Result) []Result {
	results = slices.Clone(results)
	slices.SortFunc(results, func(a, b Result) int { return cmp.Compare(a.Seed, b.Seed) })
	return results
}

// text is the shortest one that is read back as the same number.
func text(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// WriteSummary writes a CSV with a row for each seed, in their order: the scenario, the
// seed, and its [Scenario.Columns]. What a world has no meaning for is empty.
func (s Scenario) WriteSummary(w io.Writer, results []Result) error {
	c := csv.NewWriter(w)
	row := []string{"scenario", "seed"}
	for _, m := range s.Columns() {
		row = append(row, m.Name)
	}
	err := c.Write(row)
	for _, r := range sorted(results) {
		row = append(row[:0], s.Name, strconv.FormatUint(r.Seed, 10))
		for _, m := range s.Columns() {
			if v, ok := r.Values[m.Name]; ok {
				row = append(row, text(v))
			} else {
				row = append(row, "")
			}
		}
		if err == nil {
			err = c.Write(row)
		}
	}
	c.Flush()
	if err != nil {
		return err
	}
	return c.Error()
}

// WriteSeries writes a CSV with a row for each seed and point of the axis.
func (s Scenario) WriteSeries(w io.Writer, results []Result) error {
	c := csv.NewWriter(w)
	row := []string{"seed", s.Axis.Name}
	for _, m := range s.Series {
		row = append(row, m.Name)
	}
	err := c.Write(row)
	for _, r := range sorted(results) {
		for i := range s.points(r) {
			row = append(row[:0], strconv.FormatUint(r.Seed, 10), text(float64(i)*s.Axis.Tick))
			for _, m := range s.Series {
				row = append(row, r.Series[m.Name].at(i))
			}
			if err == nil {
				err = c.Write(row)
			}
		}
	}
	c.Flush()
	if err != nil {
		return err
	}
	return c.Error()
}

// points is how long the series of a result are.
func (s Scenario) points(r Result) (n int) {
	for _, m := range s.Series {
		n = max(n, len(r.Series[m.Name]))
	}
	return n
}

// at is a value as text; empty if there is none.
func (v Values) at(i int) string {
	if i >= len(v) || math.IsNaN(v[i]) {
		return ""
	}
	return text(v[i])
}

// Row is a measure over all seeds.
type Row struct {
	Measure
	stat.Sample
}

// Rows are the measures that any of the results has, over all of them. A sample may have
// fewer numbers than there are results.
func (s Scenario) Rows(results []Result) (rows []Row) {
	for _, m := range s.Columns() {
		row := Row{Measure: m}
		for _, r := range sorted(results) {
			if v, ok := r.Values[m.Name]; ok {
				row.Add(v)
			}
		}
		if row.N() > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

// Band is a series over all seeds: at each point of the axis the mean, and between what
// values the middle 90 % of the seeds are. Points at which no seed has a value are left
// out.
type Band struct {
	At, Mean, Low, High []float64
}

// Band adds up a series.
func (s Scenario) Band(name string, results []Result) (b Band) {
	results = sorted(results)
	for i := 0; ; i++ {
		var values []float64
		var mean stat.Sample
		longer := false
		for _, r := range results {
			v := r.Series[name]
			longer = longer || i < len(v)
			if i < len(v) && !math.IsNaN(v[i]) {
				values = append(values, v[i])
				mean.Add(v[i])
			}
		}
		if !longer {
			return b
		}
		if len(values) > 0 {
			b.At = append(b.At, float64(i)*s.Axis.Tick)
			b.Mean = append(b.Mean, mean.Mean())
			b.Low = append(b.Low, stat.Quantile(values, .05))
			b.High = append(b.High, stat.Quantile(values, .95))
		}
	}
}
