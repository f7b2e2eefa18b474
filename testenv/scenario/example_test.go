package scenario_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/scenario"
)

// A scenario is read, set up in a world, and played; here an hour in a tenth of a
// second. Programs under test dial through the stage's ISPs meanwhile.
func Example() {
	s, err := scenario.Parse("hour.yaml", []byte(`
title: An hour
begins: 2018-04-16 12:00
lasts: 1h
clouds:
  - name: amazon
    prefixes: [52.58.0.0/15]
    endpoints: [{count: 3}]
isps:
  - name: mts
registry:
  - {at: +30m, block: [52.58.0.0/15]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	world := testenv.New(testenv.Config{})
	defer world.Close()
	stage, err := s.Build(world, scenario.Options{Speed: 36_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := stage.Play(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println(len(stage.Endpoints()), "endpoints,", len(world.Ledger().Burns), "of them burnt")
	// Output:
	// 3 endpoints, 3 of them burnt
}

// Whatever is wrong is told with its place, all of it at once.
func ExampleParse() {
	_, err := scenario.Parse("mine.yaml", []byte(strings.TrimSpace(`
title: Mine
begins: 2018-04-16 12:00
lasts: 1h
clouds:
  - name: amazon
    prefixes: [52.58.0.0/15]
    latency: soon
isps:
  - name: mts
    lattency: 6ms
`)))
	fmt.Fprintln(os.Stdout, err)
	// Output:
	// mine.yaml:7:14: clouds[0].latency: must be a duration like 18ms, 30s, 2h30m or 36d, got "soon"
	//    7 |     latency: soon
	//      |              ^
	// mine.yaml:10:5: isps[0]: unknown key "lattency": is it "latency"?
	//   10 |     lattency: 6ms
	//      |     ^
}

func ExampleParseAction() {
	for _, text := range []string{"drop", "freeze:16KiB", "police:64kbit/s", "frieze"} {
		do, err := scenario.ParseAction(text)
		fmt.Println(do, err)
	}
	// Output:
	// drop <nil>
	// freeze after 16384 bytes <nil>
	// police to 8000 B/s <nil>
	// drop must be one of drop, reset, reject, freeze:16KiB, freeze:25packets or police:64kbit/s, got "frieze"
}
