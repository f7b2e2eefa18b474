package study_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv/study"
)

func TestSet(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"steps", "7", ""},
		{"steps", " 7 ", ""},
		{"steps", "0", "steps: must be from 1 to 100, got 0"},
		{"steps", "99999999999999999999", "steps: must be from 1 to 100, got 99999999999999999999"},
		{"steps", "7.5", `steps: must be a whole number, got "7.5"`},
		{"stride", ".25", ""},
		{"stride", "1.01", "stride: must be from 0 to 1, got 1.01"},
		{"stride", "NaN", `stride: must be a number, got "NaN"`},
		{"stride", "far", `stride: must be a number, got "far"`},
		{"mood.today", "wild", ""},
		{"mood.today", "", `mood.today: must be one of calm, wild, got ""`},
		{"step", "7", `there is no "step" here: is it steps?`},
		{"stpes", "7", `there is no "stpes" here: is it steps?`},
		{"mood", "7", `there is no "mood" here: is it mood.today?`},
		{"weather", "7", `there is no "weather" here`},
	} {
		got := ""
		if err := newToy().Settings().Set(c.name, c.text); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s=%s: %q, want %q", c.name, c.text, got, c.want)
		}
	}
	w := newToy().(*toy)
	for name, text := range map[string]string{"steps": "9", "stride": "0.5", "mood.today": "wild"} {
		if err := w.Settings().Set(name, text); err != nil {
			t.Fatal(err)
		}
	}
	if w.steps != 9 || w.stride != .5 || w.mood != "wild" {
		t.Errorf("%+v", w)
	}
	if got := fmt.Sprint(w.Settings().Values()); got != "map[mood.today:wild steps:9 stride:0.5]" {
		t.Error(got)
	}
}

func TestAllowed(t *testing.T) {
	var f float64
	low, high := math.Inf(-1), math.Inf(1)
	for want, s := range map[string]study.Setting{
		"any number": study.Number("x", &f, low, high, ""), "at least 1": study.Number("x", &f, 1, high, ""),
		"at most 1": study.Number("x", &f, low, 1, ""), "from 0 to 0.5": study.Number("x", &f, 0, .5, ""),
		"a whole number from 1 to 100": newToy().Settings()[0], "calm|wild": newToy().Settings()[2],
	} {
		if got := s.Allowed(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"users_per_step", "proxies_per_step", "agents.share", "birth.agents.share", "steps", "capacity"}
	for written, want := range map[string][]string{
		"user_per_step": {"users_per_step"},
		"agent.share":   {"agents.share"},
		"per_step":      {"users_per_step", "proxies_per_step"},
		"Capacity":      {"capacity"},
		"capactiy":      {"capacity"},
		"share":         {"agents.share", "birth.agents.share"},
		"x":             nil,
		"":              nil,
	} {
		if got := study.Nearest(written, names); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", written, got, want)
		}
	}
}

func FuzzNearest(f *testing.F) {
	f.Add("users", "users_per_step")
	f.Add("", "\xff")
	f.Fuzz(func(t *testing.T, written, name string) {
		for _, n := range study.Nearest(written, []string{name}) {
			if n != name {
				t.Errorf("%q", n)
			}
		}
		if len(study.Nearest(name, []string{name})) != 1 {
			t.Errorf("%q is not near itself", name)
		}
	})
}

func TestFind(t *testing.T) {
	all := []study.Scenario{toys, {Name: "toy/run"}}
	if s, _, ok := study.Find(all, "toy/walk"); !ok || s.Name != "toy/walk" {
		t.Errorf("%q %t", s.Name, ok)
	}
	if _, near, ok := study.Find(all, "toy/wlak"); ok || !slices.Equal(near, []string{"toy/walk"}) {
		t.Errorf("%q %t", near, ok)
	}
}
