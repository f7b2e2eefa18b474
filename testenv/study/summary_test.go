package study_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/study"
)

var two = []study.Result{
	{Seed: 2, Values: map[string]float64{"connectivity_true": .25, "wait_mean": 3}, Series: map[string]study.Values{"walk": {math.NaN(), .5, 1}}},
	{Seed: 1, Values: map[string]float64{"connectivity_true": 1. / 3, "steps_taken": 7}, Series: map[string]study.Values{"walk": {math.NaN(), .25}}},
}

func TestWriteSummary(t *testing.T) {
	var b strings.Builder
	if err := toys.WriteSummary(&b, two); err != nil {
		t.Fatal(err)
	}
	const want = `scenario,seed,connectivity_true,connectivity_felt,connectivity_published,availability_mean,lifetime_median,wait_mean,cost,addresses_listed_peak,tenants_blocked,steps_taken
toy/walk,1,0.3333333333333333,,,,,,,,,7
toy/walk,2,0.25,,,,,3,,,,
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}

func TestWriteSeries(t *testing.T) {
	var b strings.Builder
	if err := toys.WriteSeries(&b, two); err != nil {
		t.Fatal(err)
	}
	if want := "seed,hour,walk\n1,0,\n1,0.5,0.25\n2,0,\n2,0.5,0.5\n2,1,1\n"; b.String() != want {
		t.Errorf("%s", b.String())
	}
}

func TestRows(t *testing.T) {
	rows := toys.Rows(two)
	if len(rows) != 3 || rows[0].Name != "connectivity_true" || rows[0].N() != 2 || rows[1].Name != "wait_mean" || rows[1].Mean() != 3 || rows[2].Name != "steps_taken" {
		t.Errorf("%+v", rows)
	}
}

func TestBand(t *testing.T) {
	b := toys.Band("walk", two)
	if !slices.Equal(b.At, []float64{.5, 1}) || !slices.Equal(b.Mean, []float64{.375, 1}) || math.Abs(b.Low[0]-.2625) > 1e-12 || math.Abs(b.High[0]-.4875) > 1e-12 {
		t.Errorf("%+v", b)
	}
	if b := toys.Band("nothing", two); len(b.At) != 0 {
		t.Errorf("%+v", b)
	}
}

// What is kept is read back to the last bit.
func TestResultIsKept(t *testing.T) {
	for _, r := range results(t, newToy(), 3, 1) {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back study.Result
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(back)
		if err != nil || string(again) != string(b) || !math.IsNaN(back.Series["walk"][0]) || back.Series["walk"][3] != r.Series["walk"][3] {
			t.Errorf("%s\n%s", b, again)
		}
	}
	var v study.Values
	if err := json.Unmarshal([]byte(`["x"]`), &v); err == nil {
		t.Error("a text is no number")
	}
	if err := json.Unmarshal([]byte(`null`), &v); err != nil || v != nil {
		t.Errorf("%v, %v", v, err)
	}
}

func TestDescribe(t *testing.T) {
	w := newToy()
	if err := w.Settings().Set("steps", "9"); err != nil {
		t.Fatal(err)
	}
	m := toys.Describe(w, "v1", study.Seeds{First: 3, Count: 2})
	if !slices.Equal(m.Changed, []string{"steps"}) || !slices.Equal(m.Assumptions, []string{"stride"}) || m.Settings["steps"] != 9 || !slices.Equal(m.Seeds.List(), []uint64{3, 4}) {
		t.Errorf("%+v", m)
	}
}
