package bench

import (
	"math"
	"runtime"
	"slices"
)

// Reading is what was measured of a contender in one round, by the names of the
// figures, which say their units.
type Reading map[string]float64

// Figure is what has become of one measure.
type Figure struct {
	// Median is that of the rounds.
	Median float64 `json:"median"`
	// Ratio is the median of the ratios to "straight" in the same round; 0 where
	// there is nothing to compare.
	Ratio float64 `json:"ratio,omitempty"`
	// Rounds are the values themselves, without those of lost turns.
	Rounds []float64 `json:"rounds"`
}

// Row is the result of a contender.
type Row struct {
	Contender string            `json:"contender"`
	Note      string            `json:"note,omitempty"`
	Figures   map[string]Figure `json:"figures"`
	// Failures say why turns were lost.
	Failures []string `json:"failures,omitempty"`

	readings []Reading
}

// Machine is where it was measured.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	// User is who the relays ran as: their uid.
	User int `json:"user"`
}

// Report is the result of a [Bench]. It marshals to JSON, and writes itself as
// tables.
type Report struct {
	Machine Machine `json:"machine"`
	Rounds  int     `json:"rounds"`
	// Held is how many idle streams there were besides, Workers how many made
	// connections, Idle the numbers of idle streams.
	Held    int   `json:"held"`
	Workers int   `json:"workers"`
	Idle    []int `json:"idle"`
	// Rows are in the order of the contenders, "straight" first.
	Rows []*Row `json:"contenders"`
	// Origin is whether the destinations were a process behind the upstream.
	Origin bool `json:"origin"`
	// FirstBytes are from FirstBytes; Run leaves them empty.
	FirstBytes []FirstByteRow `json:"first_bytes,omitempty"`
	// Notes are for people: what is missing, and why.
	Notes []string `json:"notes,omitempty"`
}

func newReport(b *Bench, loads Loads) *Report {
	r := &Report{Rounds: b.Rounds, Origin: b.Origin, Held: loads.Held, Workers: loads.Workers, Idle: loads.Idle}
	r.Machine = Machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	r.Machine.describe()
	for _, c := range b.Contenders {
		r.Rows = append(r.Rows, &Row{Contender: c.Name, Note: c.Note, readings: make([]Reading, b.Rounds)})
	}
	return r
}

func (r *Report) add(round, contender int, reading Reading, err error) {
	row := r.Rows[contender]
	row.readings[round] = reading
	if err != nil {
		row.Failures = append(row.Failures, err.Error())
	}
}

// conclude makes figures of the readings.
func (r *Report) conclude() {
	straight := r.Rows[0].readings
	for _, row := range r.Rows {
		row.Figures = make(map[string]Figure)
		values, ratios := make(map[string][]float64), make(map[string][]float64)
		for round, reading := range row.readings {
			for name, v := range reading {
				values[name] = append(values[name], v)
				if base := straight[round][name]; base > 0 {
					ratios[name] = append(ratios[name], v/base)
				}
			}
		}
		for name, v := range values {
			f := Figure{Median: median(v), Rounds: v}
			if len(ratios[name]) > 0 {
				f.Ratio = median(ratios[name])
			}
			row.Figures[name] = f
		}
	}
}

// median is NaN of nothing.
func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
