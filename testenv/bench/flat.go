package bench

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// runIn is the share of a soak after which the relay must have all it needs.
const runIn = .25

// Trend is how a measure of the relay has developed after the run-in.
type Trend struct {
	// Name is the measure with its unit.
	Name string
	// Median is that of the samples. Growth is the slope (the median of the slopes
	// between all pairs of samples, which a few outliers do not move) times the
	// time that they cover.
	Median, Growth float64
	// Allowed is the growth up to which it counts as flat.
	Allowed float64
}

// Flat reports whether there is no growth to speak of. To shrink is allowed.
func (t Trend) Flat() bool { return t.Growth <= t.Allowed }

// measures are those that must be flat. What is allowed is a share of the
// median, and at least some: numbers of streams that come and go by chance are
// never the same.
var measures = []struct {
	name         string
	of           func(Sample) float64
	share, least float64
}{
	{"memory MB", func(s Sample) float64 { return float64(s.Memory) / 1e6 }, .10, 4},
	{"live heap MB", func(s Sample) float64 { return float64(s.Heap) / 1e6 }, .10, 2.2},
	{"descriptors", func(s Sample) float64 { return float64(s.Descriptors) }, .05, 40},
	{"goroutines", func(s Sample) float64 { return float64(s.Goroutines) }, .05, 80},
}

// Trends are those of the samples after the run-in. It returns nil if there are
// less than 4.
func Trends(samples []Sample) []Trend {
	samples = samples[int(runIn*float64(len(samples))):]
	if len(samples) < 4 {
		return nil
	}
	span := (samples[len(samples)-1].At - samples[0].At).Seconds()
	var all []Trend
	for _, m := range measures {
		var values, slopes []float64
		for i, s := range samples {
			values = append(values, m.of(s))
			for _, later := range samples[i+1:] {
				if dt := (later.At - s.At).Seconds(); dt > 0 {
					slopes = append(slopes, (m.of(later)-m.of(s))/dt)
				}
			}
		}
		middle := median(values)
		all = append(all, Trend{Name: m.name, Median: middle, Growth: median(slopes) * span, Allowed: max(m.share*middle, m.least)})
	}
	return all
}

// SoakReport is how a [Soak] went.
type SoakReport struct {
	// Before is the relay at rest after its first streams, After the relay when
	// all streams have ended.
	Before, After Sample
	Samples       []Sample
	Trends        []Trend
	// Failure is the last of the failures of streams.
	Failure string
	// Lost is what the relay's log said of endpoints that it took for lost: the
	// last few lines. Their streams are cut.
	Lost []string
}

// The relay may keep some connections to the endpoints.
const (
	keptDescriptors = 40
	keptGoroutines  = 80
)

// restsAs reports whether the relay is in no other state than it was before.
func (s Sample) restsAs(after Sample) bool {
	return after.Descriptors <= s.Descriptors+keptDescriptors &&
		after.Goroutines <= s.Goroutines+keptGoroutines
}

// mostFailed is the share of streams that may fail: on a machine that stands
// still for seconds, endpoints are lost, and the streams on them cut.
const mostFailed = .001

// Faults are what speaks against the relay: that something grew, that more than
// one stream in a thousand failed, or that something was left after their end.
// There are none if all is well.
func (r *SoakReport) Faults() (all []string) {
	if len(r.Trends) == 0 {
		all = append(all, "too few samples to tell")
	}
	for _, t := range r.Trends {
		if !t.Flat() {
			all = append(all, t.Name+" grows")
		}
	}
	if float64(r.After.Failed) > mostFailed*float64(r.After.Ended) {
		all = append(all, fmt.Sprintf("%d of %d streams failed", r.After.Failed, r.After.Ended))
	}
	if !r.Before.restsAs(r.After) {
		all = append(all, "something is left after the end of all streams")
	}
	return all
}

// WriteTo writes the report for people.
func (r *SoakReport) WriteTo(w io.Writer) (int64, error) {
	lines := [][]string{{"at", "open", "ended", "failed", "memory MB", "live heap MB", "descriptors", "goroutines"}}
	add := func(at string, s Sample) {
		lines = append(lines, []string{
			at, fmt.Sprint(s.Open), fmt.Sprint(s.Ended), fmt.Sprint(s.Failed), fmt.Sprintf("%.1f", float64(s.Memory)/1e6),
			fmt.Sprintf("%.0f", float64(s.Heap)/1e6), fmt.Sprint(s.Descriptors), fmt.Sprint(s.Goroutines),
		})
	}
	add("before", r.Before)
	for _, s := range r.Samples {
		add(s.At.Round(100*time.Millisecond).String(), s)
	}
	add("after", r.After)
	var out strings.Builder
	out.WriteString(align(lines))
	fmt.Fprintf(&out, "\nGrowth after the first quarter (the slope times the time), and what counts as flat:\n")
	lines = [][]string{{"", "median", "growth", "allowed", ""}}
	for _, t := range r.Trends {
		verdict := "flat"
		if !t.Flat() {
			verdict = "grows"
		}
		lines = append(lines, []string{t.Name, fmt.Sprintf("%.1f", t.Median), fmt.Sprintf("%+.1f", t.Growth), fmt.Sprintf("%.1f", t.Allowed), verdict})
	}
	out.WriteString(align(lines))
	if r.Failure != "" {
		fmt.Fprintf(&out, "%d streams failed, the last one: %s\n", r.After.Failed, r.Failure)
	}
	for _, line := range r.Lost {
		fmt.Fprintln(&out, line)
	}
	n, err := io.WriteString(w, out.String())
	return int64(n), err
}
