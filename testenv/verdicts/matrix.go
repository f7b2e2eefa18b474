package verdicts

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Levels are the levels of loss, each way, at which every case is run.
func Levels() []float64 { return []float64{0, .01, .05} }

// want is what a cell's interval must lie above, at a level of loss, and what all
// cells together must reach.
func want(loss float64) (cell, pooled float64) {
	if loss > .01 {
		return .93, .95
	}
	return .98, .99
}

// Matrix adds runs up. Make it with NewMatrix. It is not safe for concurrent
// use.
type Matrix struct {
	cases []Case
	cells map[key]*Cell
	// long are the long runs, in which nothing is wrong with any endpoint.
	long map[key]*Cell
}

type key struct {
	truth string
	loss  float64
}

// Cell is a truth at a level of loss.
type Cell struct {
	// N is how many runs there were that show something, Void how many did not.
	N, Void int
	// Right is how many were right at each reading.
	Right [3]int
	// Said counts the labels of each reading.
	Said [3]map[Label]int
	// Took are the times to the verdict of the runs that came to a right one.
	Took []time.Duration
	Tally
	// Wrong are some of the runs that were wrong, and Reasons counts what was said
	// in all of them: how often, by the readings and in false condemnations.
	Wrong   []Run
	Reasons map[string]int
}

// keepWrong is how many wrong runs a cell remembers.
const keepWrong = 12

// NewMatrix makes an empty matrix of the given cases.
func NewMatrix(cases []Case) *Matrix {
	return &Matrix{cases: cases, cells: make(map[key]*Cell), long: make(map[key]*Cell)}
}

// Add adds a run.
func (m *Matrix) Add(r Run) {
	add(m.cells, r)
}

func add(cells map[key]*Cell, r Run) {
	k := key{r.Truth, r.Draw.Loss}
	c := cells[k]
	if c == nil {
		c = new(Cell)
		cells[k] = c
	}
	c.add(r)
}

// AddLong adds a long run in which nothing was wrong with any endpoint.
func (m *Matrix) AddLong(r Run) {
	add(m.long, r)
}

// Cell is what there is of a truth at a level of loss; empty if nothing is.
func (m *Matrix) Cell(truth string, loss float64) *Cell {
	if c := m.cells[key{truth, loss}]; c != nil {
		return c
	}
	return new(Cell)
}

func (c *Cell) add(r Run) {
	c.Tally.add(r.Tally)
	if r.Void != "" {
		c.Void++
		return
	}
	c.N++
	wrong := r.FalseDead > 0
	for n, reading := range r.Readings {
		if c.Said[n] == nil {
			c.Said[n] = make(map[Label]int)
		}
		c.Said[n][reading.Label]++
		if reading.Right {
			c.Right[n]++
		} else {
			wrong = true
			c.reason(fmt.Sprintf("reading %d: %s: %s", n+1, reading.Label, reading.Why))
		}
	}
	for _, mistake := range r.Mistakes {
		c.reason("condemned in error: " + mistake)
	}
	if r.Told {
		c.Took = append(c.Took, r.Took)
	}
	if wrong && len(c.Wrong) < keepWrong {
		c.Wrong = append(c.Wrong, r)
	}
}

var particulars = regexp.MustCompile(`^ *-?[0-9.]+s +\S+: |\S+:1080|-?\d[0-9.]*( ?[KM]iB| ?B)?(/s)?s?`)

// reason counts a reason without its particulars: names and numbers.
func (c *Cell) reason(why string) {
	if c.Reasons == nil {
		c.Reasons = make(map[string]int)
	}
	head, rest, _ := strings.Cut(why, ": ")
	c.Reasons[head+": "+particulars.ReplaceAllString(rest, "#")]++
}

// Least is the reading that was right least often: how often, of N.
func (c *Cell) Least() int {
	least := c.N
	for n, said := range c.Said {
		if said != nil {
			least = min(least, c.Right[n])
		}
	}
	return least
}

// Share is Least as a share of N, 0 to 1.
func (c *Cell) Share() float64 {
	if c.N == 0 {
		return 0
	}
	return float64(c.Least()) / float64(c.N)
}

// Grade is how a cell stands against what is wanted.
type Grade uint8

// The grades.
const (
	// Open: there are not enough runs to tell.
	Open Grade = iota
	// Pass: the whole interval lies above what is wanted.
	Pass
	// Fail: the share itself lies below.
	Fail
)

// Grade is how the cell stands at a level of loss.
func (c *Cell) Grade(loss float64) Grade {
	wanted, _ := want(loss)
	low, _ := Wilson(c.Least(), c.N)
	switch {
	case c.N > 0 && low >= wanted:
		return Pass
	case c.N > 0 && c.Share() < wanted:
		return Fail
	default:
		return Open
	}
}

// quantile is the time that a share of the verdicts took at most, counting those
// that never came as longer than any. It is false if the quantile is one of them.
func (c *Cell) quantile(q float64) (time.Duration, bool) {
	if c.N == 0 {
		return 0, false
	}
	slices.Sort(c.Took)
	i := min(int(q*float64(c.N)), c.N-1)
	if i >= len(c.Took) {
		return 0, false
	}
	return c.Took[i], true
}

// worst is the cell with the least share that was right.
func (m *Matrix) worst() (truth string, loss, share float64) {
	share = 2
	for _, c := range m.cases {
		for _, l := range Levels() {
			if cell := m.Cell(c.Truth, l); cell.N > 0 && cell.Share() < share {
				truth, loss, share = c.Truth, l, cell.Share()
			}
		}
	}
	return truth, loss, min(share, 1)
}

// pooled is how many runs were right of all, at a level of loss.
func (m *Matrix) pooled(loss float64) (right, n int) {
	for _, c := range m.cases {
		cell := m.Cell(c.Truth, loss)
		right, n = right+cell.Least(), n+cell.N
	}
	return right, n
}

// total adds up what all runs of the table cost, and all long runs.
func (m *Matrix) total() (t Tally) {
	for _, k := range m.keys() {
		t.add(m.cells[k].Tally)
	}
	return t
}

func (m *Matrix) keys() []key {
	keys := make([]key, 0, len(m.cells))
	for k := range m.cells {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.truth, b.truth), cmp.Compare(a.loss, b.loss))
	})
	return keys
}

// falseDead is how many endpoints that were well have been condemned, in all.
func (m *Matrix) falseDead() int {
	n := m.total().FalseDead
	for _, c := range m.long {
		n += c.FalseDead
	}
	return n
}
