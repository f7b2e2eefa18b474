package verdicts

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"slices"
)

// The heat map's measures, in pixels, and its colours: readable on white and on
// black alike.
const (
	svgLeft   = 176 // the truths
	svgCell   = 44
	svgRow    = 19
	svgGap    = 16
	svgTop    = 76
	svgText   = "#78818c"
	svgStrong = "#58a6a0"
	svgRight  = "#1b998b"
	svgWrong  = "#d64550"
	svgBlank  = "#808890"
)

// WriteSVG writes the matrix as a heat map: a row for each truth; how often it is
// told, at each level of loss; and what is said after a minute, over all of them.
// What is right has one colour, what is wrong another, and the stronger it is the
// more often it was said.
func (m *Matrix) WriteSVG(w io.Writer) error {
	b := bufio.NewWriter(w)
	labels := Labels()
	rows := len(m.cases) + 2*len(m.families()) + 1
	said := svgLeft + len(Levels())*svgCell + svgGap
	width, height := said+len(labels)*svgCell+26, svgTop+rows*svgRow+36
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="11.5" fill="%s">`+"\n",
		width, height, width, height, svgText)
	fmt.Fprintf(b, `<text x="%d" y="18" font-size="13" font-weight="600">told right, %%</text>`+"\n", svgLeft)
	fmt.Fprintf(b, `<text x="%d" y="18" font-size="13" font-weight="600">said after a minute, %% of all runs</text>`+"\n", said)
	for n, l := range Levels() {
		heading(b, svgLeft+n*svgCell, fmt.Sprintf("%.0f %% loss", 100*l))
	}
	for n, l := range labels {
		heading(b, said+n*svgCell, string(l))
	}
	y := svgTop
	for _, f := range m.families() {
		y += svgRow
		fmt.Fprintf(b, `<text x="4" y="%d" font-weight="600" fill="%s">%s</text>`+"\n", y+13, svgStrong, html.EscapeString(string(f)))
		y += svgRow
		for _, c := range m.cases {
			if c.Family == f {
				m.svgCase(b, &c, y, said)
				y += svgRow
			}
		}
	}
	y += svgRow / 2
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" font-weight="600">all</text>`+"\n", svgLeft-8, y+13)
	for n, l := range Levels() {
		right, of := m.pooled(l)
		if of > 0 {
			_, wanted := want(l)
			rate(b, svgLeft+n*svgCell, y, float64(right)/float64(of), pooledGrade(right, of, wanted))
		}
	}
	svgLegend(b, said, y)
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

func (m *Matrix) svgCase(w io.Writer, c *Case, y, said int) {
	fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", svgLeft-8, y+13, html.EscapeString(c.Truth))
	n := 0
	counts := make(map[Label]int)
	for i, l := range Levels() {
		cell := m.Cell(c.Truth, l)
		n += cell.N
		for label, k := range cell.Said[1] {
			counts[label] += k
		}
		if cell.N > 0 {
			rate(w, svgLeft+i*svgCell, y, cell.Share(), cell.Grade(l))
		}
	}
	right := c.labels()
	for i, label := range Labels() {
		share := float64(counts[label]) / float64(max(n, 1))
		colour := svgWrong
		if slices.Contains(right, label) {
			colour = svgRight
		}
		square(w, said+i*svgCell, y, share, colour, slices.Contains(right, label))
	}
}

// labels are those that count as right a minute after.
func (c *Case) labels() (labels []Label) {
	answers := c.Right
	if c.Later != nil {
		answers = c.Later
	}
	for _, a := range answers {
		labels = append(labels, Opinion{Verdict: a.Verdict, Cause: a.Cause, Outage: a.Us}.Label())
	}
	if c.Undecidable {
		labels = append(labels, LabelSuspect, LabelUnknown)
	}
	if c.Explained != nil {
		labels = append(labels, LabelAlive)
	}
	return labels
}

// heading is a slanted one above a column.
func heading(w io.Writer, x int, text string) {
	fmt.Fprintf(w, `<text transform="translate(%d %d) rotate(-32)">%s</text>`+"\n", x+svgCell/2-4, svgTop+svgRow-6, html.EscapeString(text))
}

// rate is a share in the colour of its grade.
func rate(w io.Writer, x, y int, share float64, g Grade) {
	paint := map[Grade]string{Pass: svgRight, Open: svgRight + `" fill-opacity=".6`, Fail: svgWrong}[g]
	fmt.Fprintf(w, `<rect x="%d" y="%d" width="%d" height="%d" rx="2" fill="%s"/>`, x, y, svgCell-2, svgRow-2, paint)
	fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="middle" fill="#fff">%s</text>`+"\n", x+svgCell/2-1, y+13, hundred(share))
}

// square is a share by the strength of a colour; what would be right is framed.
func square(w io.Writer, x, y int, share float64, colour string, framed bool) {
	fill, opacity := svgBlank, .1
	if share > 0 {
		fill, opacity = colour, .25+.75*share
	}
	frame := ""
	if framed {
		frame = fmt.Sprintf(` stroke="%s" stroke-width="1.2"`, svgRight)
	}
	fmt.Fprintf(w, `<rect x="%d" y="%d" width="%d" height="%d" rx="2" fill="%s" fill-opacity="%.2f"%s/>`, x, y, svgCell-2, svgRow-2, fill, opacity, frame)
	if share > 0 {
		ink := svgText
		if share > .35 {
			ink = "#fff"
		}
		fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="middle" fill="%s">%s</text>`, x+svgCell/2-1, y+13, ink, hundred(share))
	}
	fmt.Fprintln(w)
}

func svgLegend(w io.Writer, x, y int) {
	for _, e := range []struct{ paint, text string }{
		{svgRight, "reached, or right"}, {svgRight + `" fill-opacity=".6`, "too few runs to tell"}, {svgWrong, "missed, or wrong"},
	} {
		fmt.Fprintf(w, `<rect x="%d" y="%d" width="12" height="12" rx="2" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", x, y+3, e.paint, x+17, y+13, e.text)
		x += 150
	}
}

// hundred is a share in hundredths, with a decimal where that is not all of it.
func hundred(share float64) string {
	s := fmt.Sprintf("%.1f", 100*share)
	if share > 0 && share < .0005 {
		return "<.1"
	}
	if share >= 1 || share == 0 {
		return fmt.Sprintf("%.0f", 100*share)
	}
	if s == "100.0" {
		return "99.9"
	}
	return s
}
