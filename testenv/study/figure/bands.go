package figure

import (
	"bytes"
	"cmp"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/paperplane-relay/paperplane/testenv/study"
)

// Bands is a chart of shares over time: for each series the mean of the seeds as a line,
// and where most of them are as a band around it.
type Bands struct {
	Title, Subtitle string
	// X and Y say what the axes are.
	X, Y   string
	Series []Series
}

// Series is one of them. Name stands beside its end.
type Series struct {
	Name string
	study.Band
}

// The measures of the figure, and of its parts: it is as wide as a page's text.
const (
	width  = 6.5 * vg.Inch
	height = 3.3 * vg.Inch
	margin = .1 * vg.Inch
	head   = .48 * vg.Inch
	side   = .95 * vg.Inch // for the names of the series
)

// WriteSVG draws the chart. The same chart is the same bytes.
func (b Bands) WriteSVG(w io.Writer) error {
	canvas := vgsvg.New(width, height)
	c := draw.New(canvas)
	c.SetColor(paper)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -margin, margin, -margin)

	top := vg.Point{X: c.Min.X, Y: c.Max.Y}
	title := heading()
	title.YAlign = draw.YTop
	c.FillText(title, top, b.Title)
	subtitle := body(quiet)
	subtitle.YAlign = draw.YTop
	c.FillText(subtitle, vg.Point{X: top.X, Y: top.Y - 16}, cut(b.Subtitle))

	p, err := b.plot()
	if err != nil {
		return err
	}
	area := draw.Crop(c, 0, -side, 0, -head)
	p.Draw(area)
	b.name(p, p.DataCanvas(area))

	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	// Where the font is not, one of the same measures serves.
	_, err = w.Write(bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")))
	return err
}

// widest is how many characters a subtitle can have.
const widest = 100

// cut is text that fits.
func cut(s string) string {
	if r := []rune(s); len(r) > widest {
		return string(r[:widest-1]) + "…"
	}
	return s
}

// plot is the chart between its axes.
func (b Bands) plot() (*plot.Plot, error) {
	p := plot.New()
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle = stroke(quiet, .6)
		a.Tick.LineStyle = stroke(quiet, .6)
		a.Tick.Length = 3
		a.Label.TextStyle, a.Tick.Label = styled(a.Label.TextStyle), styled(a.Tick.Label)
		a.Label.Padding = 4
		a.Padding = 0
	}
	p.X.Label.Text, p.Y.Label.Text = b.X, b.Y
	p.X.Min, p.X.Max = b.span()
	p.X.Tick.Marker = round{}
	p.Y.Min, p.Y.Max = 0, 1
	p.Y.LineStyle.Width, p.Y.Tick.Length = 0, 0
	p.Y.Tick.Marker = plot.ConstantTicks{
		{Value: 0, Label: "0 "}, {Value: .25, Label: "25 % "}, {Value: .5, Label: "50 % "}, {Value: .75, Label: "75 % "}, {Value: 1, Label: "100 % "},
	}
	lines := plotter.NewGrid()
	lines.Vertical.Width = 0
	lines.Vertical.Color = nil
	lines.Horizontal = stroke(grid, .6)
	p.Add(lines)
	var means []plot.Plotter // over all bands
	for i, s := range b.Series {
		if len(s.At) == 0 {
			continue
		}
		var edge, middle plotter.XYs
		for k, at := range s.At {
			edge = append(edge, plotter.XY{X: at, Y: s.High[k]})
			middle = append(middle, plotter.XY{X: at, Y: s.Mean[k]})
		}
		for k := range slices.Backward(s.At) {
			edge = append(edge, plotter.XY{X: s.At[k], Y: s.Low[k]})
		}
		area, err := plotter.NewPolygon(edge)
		if err != nil {
			return nil, err
		}
		area.Color, area.LineStyle.Width = faded(colour(i)), 0
		mean, err := plotter.NewLine(middle)
		if err != nil {
			return nil, err
		}
		mean.LineStyle = stroke(colour(i), 1.2)
		p.Add(area)
		means = append(means, mean)
	}
	p.Add(means...)
	p.X.Min, p.X.Max = b.span()
	p.Y.Min, p.Y.Max = 0, 1
	return p, nil
}

// span is from the first time of any series to the last.
func (b Bands) span() (least, most float64) {
	least, most = math.Inf(1), math.Inf(-1)
	for _, s := range b.Series {
		for _, at := range s.At {
			least, most = min(least, at), max(most, at)
		}
	}
	if least >= most {
		return 0, 1
	}
	return least, most
}

// name writes the name of each series beside its end; names keep a distance.
func (b Bands) name(p *plot.Plot, c draw.Canvas) {
	const apart = 12
	type label struct {
		series int
		y      vg.Length
	}
	var labels []label
	_, y := p.Transforms(&c)
	for i, s := range b.Series {
		if n := len(s.At); n > 0 {
			labels = append(labels, label{i, y(s.Mean[n-1])})
		}
	}
	slices.SortStableFunc(labels, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	// Those that are too close push each other apart, and what is pushed off the chart
	// comes back to its edge.
	for range 50 {
		for i := range labels[:max(len(labels)-1, 0)] {
			if lack := apart - (labels[i+1].y - labels[i].y); lack > 0 {
				labels[i].y -= lack / 2
				labels[i+1].y += lack / 2
			}
		}
		for i := range labels {
			labels[i].y = min(max(labels[i].y, c.Min.Y), c.Max.Y)
		}
	}
	for _, l := range labels {
		s := body(colour(l.series))
		s.YAlign = draw.YCenter
		c.FillText(s, vg.Point{X: c.Max.X + 5, Y: l.y}, b.Series[l.series].Name)
	}
}

// round are the ticks of time: about six, at round numbers.
type round struct{}

// Ticks implements [plot.Ticker].
func (round) Ticks(least, most float64) (ticks []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10((most-least)/3)))
	for _, by := range []float64{1, 2, 5, 10} {
		if (most-least)/(by*step) <= 7 {
			step *= by
			break
		}
	}
	for k := math.Ceil(least / step); k*step <= most; k++ {
		ticks = append(ticks, plot.Tick{Value: k * step, Label: strconv.FormatFloat(k*step, 'g', 6, 64)})
	}
	return ticks
}
