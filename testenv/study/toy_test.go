package study_test

import (
	"context"
	"errors"
	"math"

	"github.com/paperplane-relay/paperplane/testenv/study"
	"github.com/paperplane-relay/paperplane/testenv/study/draw"
)

// toy is a world of a few lines: its connectivity is a random walk.
type toy struct {
	steps  int
	stride float64
	mood   string
	fail   uint64 // a seed that fails, if not 0
	stuck  uint64 // a seed that takes until it is interrupted, if not 0
}

var errToy = errors.New("toy: broken")

func newToy() study.World { return &toy{steps: 5, stride: .1, mood: "calm"} }

func (t *toy) Settings() study.Settings {
	return study.Settings{
		study.Whole("steps", &t.steps, 1, 100, "how many"),
		study.Number("stride", &t.stride, 0, 1, "how far in a step").Assumed(),
		study.Word("mood.today", &t.mood, "how it is", "calm", "wild"),
	}
}

func (t *toy) Validate() error { return nil }

func (t *toy) Run(ctx context.Context, seed uint64) (study.Result, error) {
	switch {
	case t.fail != 0 && seed == t.fail:
		return study.Result{}, errToy
	case t.stuck != 0 && seed == t.stuck:
		<-ctx.Done()
		return study.Result{}, ctx.Err()
	}
	walk := study.Values{math.NaN()}
	at := .5
	for i := range t.steps - 1 {
		at += t.stride * (draw.For(seed, "walk").Unit(uint64(i), 0) - .5)
		walk = append(walk, at)
	}
	return study.Result{
		Seed: seed, Values: map[string]float64{"connectivity_true": at, "wait_mean": float64(seed)},
		Series: map[string]study.Values{"walk": walk},
	}, nil
}

var toys = study.Scenario{
	Name: "toy/walk", About: "a walk", New: newToy,
	Measures: []study.Measure{{Name: "steps_taken", About: "none"}},
	Series:   []study.Measure{{Name: "walk", About: "where it is"}}, Axis: study.Axis{Name: "hour", Tick: .5},
}
