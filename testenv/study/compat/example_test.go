package compat_test

import (
	"context"
	"fmt"

	"github.com/paperplane-relay/paperplane/testenv/study"
	"github.com/paperplane-relay/paperplane/testenv/study/compat"
	"github.com/paperplane-relay/paperplane/testenv/study/stat"
)

// What is published of a policy counts the censor's agents among its users. How well do
// the others fare?
func Example() {
	world := compat.Dynamic(compat.Kind)
	world.Censor = compat.Greedy

	var published, honest stat.Sample
	seeds := study.Seeds{First: 1, Count: 30}
	err := study.Run(context.Background(), world, seeds.List(), 4, func(r study.Result) error {
		published.Add(r.Values["connectivity_published"])
		honest.Add(r.Values["connectivity_true_step_mean"])
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("all users %.2f, honest ones %.2f\n", published.Mean(), honest.Mean())
	// Output:
	// all users 0.92, honest ones 0.99
}
