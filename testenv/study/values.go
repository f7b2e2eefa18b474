package study

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// Values are numbers of which some may be missing, which is NaN in Go and null in
// JSON. What is read back is exactly what was written.
type Values []float64

// MarshalJSON implements [json.Marshaler].
func (v Values) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 8*len(v)+2)
	b = append(b, '[')
	for i, f := range v {
		if i > 0 {
			b = append(b, ',')
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendFloat(b, f, 'g', -1, 64)
		}
	}
	return append(b, ']'), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *Values) UnmarshalJSON(b []byte) error {
	if bytes.Equal(bytes.TrimSpace(b), []byte("null")) {
		*v = nil
		return nil
	}
	var read []*float64
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	*v = make(Values, len(read))
	for i, f := range read {
		if (*v)[i] = math.NaN(); f != nil {
			(*v)[i] = *f
		}
	}
	return nil
}
