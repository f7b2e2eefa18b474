package bench_test

import (
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/bench"
)

// series are samples of a relay that fills up in its first quarter, wobbles, and
// has grown by some goroutines and descriptors at the end.
func series(grown float64) (all []bench.Sample) {
	const n = 40
	for i := range n {
		filled := min(1, float64(i)/(n/4))
		more := int64(grown * float64(i) / n)
		wobble := int64(i*7919%41) - 20
		all = append(all, bench.Sample{
			At: time.Duration(i) * time.Second, Memory: int64(filled * 40e6), Heap: int64(filled*9) << 20,
			Descriptors: int64(filled*1000) + wobble + more, Goroutines: int64(filled*1500) + 2*wobble + more,
		})
	}
	return all
}

func TestTrends(t *testing.T) {
	for _, c := range []struct {
		grown float64
		want  string
	}{
		{0, ""},
		{20, ""},
		{-2000, ""},
		{500, "descriptors grows, goroutines grows"},
	} {
		r := bench.SoakReport{Samples: series(c.grown), Trends: bench.Trends(series(c.grown))}
		if got := strings.Join(r.Faults(), ", "); got != c.want {
			t.Errorf("grown by %v: %q, want %q: %+v", c.grown, got, c.want, r.Trends)
		}
	}
}

// TestTrendsOutlier is one sample that says nothing of the others.
func TestTrendsOutlier(t *testing.T) {
	s := series(0)
	s[len(s)-1].Memory = 1e9
	r := bench.SoakReport{Trends: bench.Trends(s)}
	if faults := r.Faults(); len(faults) > 0 {
		t.Errorf("%q", faults)
	}
}

func TestFaults(t *testing.T) {
	flat := bench.Trends(series(0))
	for _, c := range []struct {
		report bench.SoakReport
		want   string
	}{
		{bench.SoakReport{}, "too few samples to tell"},
		{bench.SoakReport{Trends: flat, After: bench.Sample{Ended: 1000, Failed: 1}}, ""},
		{bench.SoakReport{Trends: flat, After: bench.Sample{Ended: 1000, Failed: 2}}, "2 of 1000 streams failed"},
		{bench.SoakReport{Trends: flat, After: bench.Sample{Descriptors: 100}}, "something is left after the end of all streams"},
		{bench.SoakReport{Trends: flat, After: bench.Sample{Goroutines: 100}}, "something is left after the end of all streams"},
	} {
		if got := strings.Join(c.report.Faults(), ", "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.report, got, c.want)
		}
	}
}
