package draw_test

import (
	"fmt"

	"github.com/paperplane-relay/paperplane/testenv/study/draw"
)

// A draw is asked for by name, in any order and as often as one likes.
func Example() {
	stays := draw.For(1, "stays")
	for _, client := range []uint64{17, 4, 17} {
		visit := stays.At(client, 0)
		fmt.Printf("client %d stays %.3f\n", client, visit.Exponential())
	}
	// Output:
	// client 17 stays 0.452
	// client 4 stays 0.278
	// client 17 stays 0.452
}
