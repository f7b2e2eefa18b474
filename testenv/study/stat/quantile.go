package stat

import (
	"math"
	"slices"
)

// Quantile is the value below which a share of the values lies, by a straight line
// between its neighbours (Hyndman and Fan's type 7); NaN if there are none. It puts the
// values in order.
func Quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	at := share * float64(len(values)-1)
	i := int(at)
	if i+1 >= len(values) {
		return values[len(values)-1]
	}
	return values[i] + (at-float64(i))*(values[i+1]-values[i])
}
