package theory_test

import (
	"fmt"

	"github.com/paperplane-relay/paperplane/testenv/study/theory"
)

// An insider asks for bridges, three at a time, of 100. How soon does it have them all,
// and how many does it have after 20 requests?
func Example() {
	fmt.Printf("all after %.1f requests\n", theory.RequestsToFindAll(100, 3))
	fmt.Printf("%.1f after 20\n", theory.Discovered(100, 3, 20))
	// Output:
	// all after 171.5 requests
	// 45.6 after 20
}
