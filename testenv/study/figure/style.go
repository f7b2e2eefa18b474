package figure

import (
	"image/color"

	ximage "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// palette are the colours of series in their order: those of Okabe and Ito (2008), which
// the colour-blind can tell apart, without the yellow, which is hard to see on white.
var palette = []color.NRGBA{
	{0x00, 0x72, 0xb2, 0xff},
	{0xd5, 0x5e, 0x00, 0xff},
	{0x00, 0x9e, 0x73, 0xff},
	{0xcc, 0x79, 0xa7, 0xff},
	{0xe6, 0x9f, 0x00, 0xff},
	{0x56, 0xb4, 0xe9, 0xff},
}

var (
	ink   = color.NRGBA{0x22, 0x26, 0x2b, 0xff}
	quiet = color.NRGBA{0x5b, 0x64, 0x70, 0xff}
	grid  = color.NRGBA{0xe3, 0xe6, 0xea, 0xff}
	paper = color.NRGBA{0xff, 0xff, 0xff, 0xff}
)

// colour is that of a series.
func colour(i int) color.NRGBA { return palette[i%len(palette)] }

// faded is a colour that lets what is below shine through.
func faded(c color.NRGBA) color.NRGBA {
	c.A = 0x33
	return c
}

// body is the style of most text.
func body(c color.Color) text.Style {
	return text.Style{
		Color: c, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: 9}, Handler: plot.DefaultTextHandler,
	}
}

// styled is body text at the place of another.
func styled(s text.Style) text.Style {
	b := body(quiet)
	b.Rotation, b.XAlign, b.YAlign = s.Rotation, s.XAlign, s.YAlign
	return b
}

func heading() text.Style {
	s := body(ink)
	s.Font.Size, s.Font.Weight = 11, ximage.WeightBold
	return s
}

func stroke(c color.Color, width vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: width}
}
