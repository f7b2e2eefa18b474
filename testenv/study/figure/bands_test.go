package figure_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/study"
	"github.com/paperplane-relay/paperplane/testenv/study/figure"
)

func chart(names ...string) figure.Bands {
	b := figure.Bands{Title: "a <title>", Subtitle: "with a=b & c", X: "hour", Y: "share"}
	for i, name := range names {
		s := figure.Series{Name: name}
		for at := range 20 {
			mean := .5 + .01*float64(i) + .2*math.Sin(float64(at))
			s.At, s.Mean = append(s.At, float64(at)), append(s.Mean, mean)
			s.Low, s.High = append(s.Low, mean-.1), append(s.High, mean+.1)
		}
		b.Series = append(b.Series, s)
	}
	return b
}

// texts writes the chart, which must be XML, and returns what is written in it and at
// what height.
func texts(t *testing.T, b figure.Bands) map[string]float64 {
	t.Helper()
	var first, second bytes.Buffer
	if err := b.WriteSVG(&first); err != nil {
		t.Fatal(err)
	}
	if err := b.WriteSVG(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same chart is not the same bytes")
	}
	if strings.Contains(first.String(), "NaN") || strings.Contains(first.String(), "Inf") {
		t.Error("there is a number in it that is none")
	}
	found := make(map[string]float64)
	at := 0.
	for d := xml.NewDecoder(&first); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("no XML: %v", err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			for _, a := range x.Attr {
				if x.Name.Local == "text" && a.Name.Local == "y" {
					if at, err = strconv.ParseFloat(a.Value, 64); err != nil {
						t.Fatal(err)
					}
				}
			}
		case xml.CharData:
			if s := strings.TrimSpace(string(x)); s != "" {
				found[s] = at
			}
		}
	}
}

func TestBands(t *testing.T) {
	found := texts(t, chart("honest users", "all users", "proxies"))
	for _, want := range []string{"a <title>", "with a=b & c", "hour", "share", "0", "50 %", "100 %", "15", "honest users", "all users", "proxies"} {
		if _, ok := found[want]; !ok {
			t.Errorf("%q is not in it", want)
		}
	}
	// The lines end within a hundredth of each other; their names can be read all the
	// same.
	for _, pair := range [][2]string{{"honest users", "all users"}, {"all users", "proxies"}} {
		if d := math.Abs(found[pair[0]] - found[pair[1]]); d < 11.5 {
			t.Errorf("%q and %q are %g points apart", pair[0], pair[1], d)
		}
	}
}

func TestLittleToDraw(t *testing.T) {
	texts(t, figure.Bands{Title: "nothing"})
	texts(t, figure.Bands{Title: "empty", Series: []figure.Series{{Name: "never"}}})
	point := figure.Bands{Title: "one point", Series: []figure.Series{{Name: "once", Band: study.Band{
		At: []float64{3}, Mean: []float64{.5}, Low: []float64{.5}, High: []float64{.5},
	}}}}
	texts(t, point)
	long := chart("x")
	long.Subtitle = strings.Repeat("ä", 300)
	if _, ok := texts(t, long)[strings.Repeat("ä", 99)+"…"]; !ok {
		t.Error("a subtitle that is too long is not cut")
	}
	texts(t, chart("1", "2", "3", "4", "5", "6", "7", "8"))
}
