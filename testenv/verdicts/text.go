package verdicts

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// WriteText writes the matrix for people. Its last line is
//
//	worst: TRUTH N% at L% loss; false dead: N
func (m *Matrix) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	m.writeTable(b)
	m.writeConfusion(b)
	m.writeCost(b)
	truth, loss, share := m.worst()
	fmt.Fprintf(b, "worst: %s %g%% at %g%% loss; false dead: %d\n", truth, math.Floor(1000*share)/10, 100*loss, m.falseDead())
	return b.Flush()
}

const truthWidth = 26

// writeTable has a line for each truth: how often it is told, and how soon.
func (m *Matrix) writeTable(w io.Writer) {
	fmt.Fprintf(w, "%-*s", truthWidth, "right, of 100 (95 % interval)")
	fmt.Fprintln(w)
	fmt.Fprintf(w, "%-*s", truthWidth, "truth")
	for _, l := range Levels() {
		fmt.Fprintf(w, "  %-18s", fmt.Sprintf("%.0f %% loss", 100*l))
	}
	fmt.Fprintf(w, "  %-14s %s\n", "p50, p99 in s", "runs")
	for _, f := range m.families() {
		fmt.Fprintf(w, "%s\n", f)
		for _, c := range m.cases {
			if c.Family == f {
				m.writeCase(w, &c)
			}
		}
	}
	fmt.Fprintf(w, "%-*s", truthWidth, "all")
	for _, l := range Levels() {
		right, n := m.pooled(l)
		_, wanted := want(l)
		fmt.Fprintf(w, "  %-18s", share(right, n, pooledGrade(right, n, wanted)))
	}
	fmt.Fprintf(w, "\n\n* too few runs to tell   ! missed\n\n")
}

func (m *Matrix) writeCase(w io.Writer, c *Case) {
	fmt.Fprintf(w, "  %-*s", truthWidth-2, c.Truth)
	var all Cell
	for _, l := range Levels() {
		cell := m.Cell(c.Truth, l)
		all.N += cell.N
		all.Took = append(all.Took, cell.Took...)
		all.Void += cell.Void
		fmt.Fprintf(w, "  %-18s", share(cell.Least(), cell.N, cell.Grade(l)))
	}
	took := ""
	if c.timed() {
		took = fmt.Sprintf("%s, %s", all.seconds(.5), all.seconds(.99))
		if p99, ok := all.quantile(.99); c.Within > 0 && (!ok || p99 > c.Within) {
			took += " !"
		}
	}
	fmt.Fprintf(w, "  %-14s %d", took, all.N)
	if all.Void > 0 {
		fmt.Fprintf(w, " (%d void)", all.Void)
	}
	fmt.Fprintln(w)
}

// timed reports whether a time to the verdict means anything.
func (c *Case) timed() bool { return c.hitsEndpoints() && !c.Undecidable && !sees(c.Right) }

// sees reports whether the answer is that nothing is wrong.
func sees(answers []Answer) bool { return slices.Equal(answers, alive) }

func (c *Cell) seconds(q float64) string {
	d, ok := c.quantile(q)
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.1f", d.Seconds())
}

func share(right, n int, g Grade) string {
	if n == 0 {
		return ""
	}
	low, high := Wilson(right, n)
	mark := map[Grade]string{Open: "*", Pass: " ", Fail: "!"}[g]
	return fmt.Sprintf("%5.1f%s (%.1f-%.1f)", 100*float64(right)/float64(n), mark, 100*low, 100*high)
}

func pooledGrade(right, n int, wanted float64) Grade {
	if n > 0 && float64(right)/float64(n) >= wanted {
		return Pass
	}
	return Fail
}

// writeConfusion has what was said in place of each truth, at a minute, over all
// levels of loss.
func (m *Matrix) writeConfusion(w io.Writer) {
	fmt.Fprintf(w, "%-*s", truthWidth, "said after a minute, of 100")
	for _, l := range Labels() {
		fmt.Fprintf(w, " %9s", l)
	}
	fmt.Fprintln(w)
	for _, c := range m.cases {
		n := 0
		said := make(map[Label]int)
		for _, l := range Levels() {
			cell := m.Cell(c.Truth, l)
			n += cell.N
			for label, k := range cell.Said[1] {
				said[label] += k
			}
		}
		if n == 0 {
			continue
		}
		fmt.Fprintf(w, "%-*s ", truthWidth, c.Truth)
		for _, l := range Labels() {
			text := "."
			if said[l] > 0 {
				text = fmt.Sprintf("%.1f", 100*float64(said[l])/float64(n))
			}
			fmt.Fprintf(w, " %9s", text)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

// writeCost has what judging cost those that are well, and in bytes.
func (m *Matrix) writeCost(w io.Writer) {
	m.writeCostByTruth(w)
	for _, c := range Long() {
		for _, l := range Levels() {
			t := m.long[key{c.Truth, l}]
			if t == nil {
				continue
			}
			hours := t.Healthy.Hours()
			fmt.Fprintf(w, "%s, %.0f %% loss: %d false dead in %.0f endpoint-hours (at most %.2f per 1,000 h, 95 %%), suspect %.3f %% of the time, %d rotations, %d reserves shown\n",
				c.Truth, 100*l, t.FalseDead, hours, 1000*PoissonUpper(t.FalseDead)/hours, percent(t.Suspected, t.Healthy), t.Rotations, t.Exposed)
		}
	}
	t := m.total()
	fmt.Fprintf(w, "the table's runs: %d false dead in %.0f endpoint-hours, suspect %.3f %% of the time, %d rotations (%.2f per 1,000 h)\n",
		t.FalseDead, t.Healthy.Hours(), percent(t.Suspected, t.Healthy), t.Rotations, 1000*float64(t.Rotations)/max(t.Healthy.Hours(), 1))
	fmt.Fprintf(w, "examinations: %d, %.1f KiB each, %.0f KiB at most; reserve addresses shown without need: %d\n\n",
		t.Examinations, float64(t.ProbeBytes)/1024/float64(max(t.Examinations, 1)), float64(t.LargestProbe)/1024, t.Exposed)
}

// writeCostByTruth has a line for each truth under which those that are well had
// to pay.
func (m *Matrix) writeCostByTruth(w io.Writer) {
	fmt.Fprintf(w, "%-*s %11s %11s %11s %11s %14s\n", truthWidth, "cost, over all its runs", "false dead", "rotations", "suspect %", "exposed", "largest probe")
	for _, c := range m.cases {
		var t Tally
		for _, l := range Levels() {
			t.add(m.Cell(c.Truth, l).Tally)
		}
		if t.FalseDead+t.Rotations+t.Exposed == 0 && t.LargestProbe <= mostProbe {
			continue
		}
		fmt.Fprintf(w, "%-*s %11d %11d %11.2f %11d %10.0f KiB\n", truthWidth, c.Truth,
			t.FalseDead, t.Rotations, percent(t.Suspected, t.Healthy), t.Exposed, float64(t.LargestProbe)/1024)
	}
	fmt.Fprintln(w)
}

// mostProbe is how many bytes an examination may take.
const mostProbe = 256 << 10

func percent(part, all time.Duration) float64 { return 100 * float64(part) / max(float64(all), 1) }

// WriteWrong writes what was said where it was wrong, by how often it was, and
// some of those runs with all that the pool told in them.
func (m *Matrix) WriteWrong(w io.Writer) error {
	b := bufio.NewWriter(w)
	m.writeReasons(b)
	for _, c := range slices.Concat(m.cases, Long()) {
		for _, l := range Levels() {
			cell := m.Cell(c.Truth, l)
			if long := m.long[key{c.Truth, l}]; long != nil {
				cell = long
			}
			for _, r := range cell.Wrong {
				fmt.Fprintf(b, "%s, loss %g, seed %d, heavy %t, rtt %v\n", r.Truth, l, r.Draw.Seed, r.Draw.Heavy, r.Draw.RTT.Round(time.Millisecond))
				for n, reading := range r.Readings {
					if !reading.Right {
						fmt.Fprintf(b, "  reading %d: %s: %s\n", n+1, reading.Label, reading.Why)
					}
				}
				fmt.Fprintf(b, "  %s\n", strings.Join(r.Trail, "\n  "))
				for _, mistake := range r.Mistakes {
					fmt.Fprintf(b, "  false %s\n", mistake)
				}
			}
		}
	}
	return b.Flush()
}

// families are those that the cases belong to, in the order of the cases.
func (m *Matrix) families() (families []Family) {
	for _, c := range m.cases {
		if !slices.Contains(families, c.Family) {
			families = append(families, c.Family)
		}
	}
	return families
}

func (m *Matrix) writeReasons(w io.Writer) {
	for _, c := range slices.Concat(m.cases, Long()) {
		var n int
		reasons := make(map[string]int)
		for _, l := range Levels() {
			for _, cells := range []map[key]*Cell{m.cells, m.long} {
				if cell := cells[key{c.Truth, l}]; cell != nil {
					n += cell.N
					for why, times := range cell.Reasons {
						reasons[fmt.Sprintf("at %2.0f %% loss, %s", 100*l, why)] += times
					}
				}
			}
		}
		if len(reasons) == 0 {
			continue
		}
		fmt.Fprintf(w, "%s, %d runs\n", c.Truth, n)
		why := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int {
			return cmp.Or(cmp.Compare(reasons[b], reasons[a]), cmp.Compare(a, b))
		})
		for _, y := range why {
			fmt.Fprintf(w, "  %4d %s\n", reasons[y], y)
		}
	}
	fmt.Fprintln(w)
}
