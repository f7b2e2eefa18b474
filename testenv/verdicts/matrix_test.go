package verdicts_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/verdicts"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is a small matrix of runs that nobody made: 200 of each truth and level,
// of which some are wrong.
func sample(t *testing.T) *verdicts.Matrix {
	t.Helper()
	cases := []verdicts.Case{
		find(t, "alive"), find(t, "drop"), find(t, "reset, the only endpoint"), find(t, "freeze 16 KiB"), find(t, "our network down"),
	}
	m := verdicts.NewMatrix(cases)
	wrong := map[string][3]int{"drop": {0, 3, 30}, "freeze 16 KiB": {1, 10, 100}}
	right := []verdicts.Label{verdicts.LabelAlive, verdicts.LabelDropped, verdicts.LabelUnknown, verdicts.LabelFrozen, verdicts.LabelAlive}
	for i, c := range cases {
		for level, loss := range verdicts.Levels() {
			for n := range 200 {
				r := verdicts.Run{Truth: c.Truth, Draw: verdicts.Draw{Seed: uint64(n), Loss: loss}, Told: true, Took: time.Duration(n) * 20 * time.Millisecond}
				reading := verdicts.Reading{Label: right[i], Right: true}
				if n < wrong[c.Truth][level] {
					reading = verdicts.Reading{Label: verdicts.LabelSuspect, Why: "it <is> a sample"}
					r.Told = false
				}
				r.Readings = []verdicts.Reading{reading, reading}
				r.Tally = verdicts.Tally{Healthy: time.Hour, Examinations: 5, ProbeBytes: 40 << 10, LargestProbe: 16 << 10}
				if n == 0 && c.Truth == "our network down" {
					r.FalseDead, r.Suspected = 1, time.Minute
				}
				m.Add(r)
			}
			m.AddLong(verdicts.Run{Truth: "loss only", Draw: verdicts.Draw{Loss: loss}, Tally: verdicts.Tally{Healthy: 10_000 * time.Hour}})
		}
	}
	return m
}

func TestGoldenText(t *testing.T) {
	var b bytes.Buffer
	if err := sample(t).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "matrix.txt", b.Bytes())
	const last = "worst: freeze 16 KiB 50% at 5% loss; false dead: 3\n"
	if !strings.HasSuffix(b.String(), "\n"+last) {
		t.Errorf("the last line is not %q", last)
	}
}

func TestGoldenMap(t *testing.T) {
	var b bytes.Buffer
	if err := sample(t).WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "matrix.svg", b.Bytes())
	for d := xml.NewDecoder(&b); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("no XML: %v", err)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what it was (see -update):\n%s", path, got)
	}
}

func TestGrades(t *testing.T) {
	for _, test := range []struct {
		right, n int
		loss     float64
		want     verdicts.Grade
	}{
		{0, 0, 0, verdicts.Open},
		{60, 60, 0, verdicts.Open}, // 94 to 100 %
		{189, 189, 0, verdicts.Pass},
		{990, 1000, 0, verdicts.Pass}, // 98.2 to 99.5 %
		{985, 1000, 0, verdicts.Open}, // 97.5 to 99.1 %
		{979, 1000, 0, verdicts.Fail},
		{979, 1000, .05, verdicts.Pass},
		{935, 1000, .05, verdicts.Open},
		{929, 1000, .05, verdicts.Fail},
	} {
		m := verdicts.NewMatrix(nil)
		for n := range test.n {
			right := verdicts.Reading{Right: n < test.right}
			m.Add(verdicts.Run{Truth: "x", Draw: verdicts.Draw{Loss: test.loss}, Readings: []verdicts.Reading{{Right: true}, right}})
		}
		if got := m.Cell("x", test.loss).Grade(test.loss); got != test.want {
			t.Errorf("%d of %d at %g: grade %d, want %d", test.right, test.n, test.loss, got, test.want)
		}
	}
}

// A cell is as good as the reading that was right least often, and void runs
// say nothing.
func TestCellCountsTheWorseReading(t *testing.T) {
	m := verdicts.NewMatrix(nil)
	for n := range 10 {
		m.Add(verdicts.Run{Truth: "x", Readings: []verdicts.Reading{{Right: n > 3}, {Right: n > 0}, {Right: true}}})
	}
	m.Add(verdicts.Run{Truth: "x", Void: "nothing happened"})
	c := m.Cell("x", 0)
	if c.N != 10 || c.Void != 1 || c.Least() != 6 {
		t.Errorf("%d right of %d, %d void; want 6 of 10, 1 void", c.Least(), c.N, c.Void)
	}
}
