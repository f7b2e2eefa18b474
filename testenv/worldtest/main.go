package worldtest

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// M are the tests of a package, for its TestMain. On a kernel it runs them where
// worlds can be made.
type M struct{ *testing.M }

// Run runs the tests, and returns their exit status. If there are kernel worlds
// to be made and no right to make them, none is run: that is well, with the
// reason, but where everything is meant to be there, which is where the
// environment variable CI is "true". It ends with what was skipped, and why.
func (m M) Run() int {
	flag.Parse()
	if RealTime() {
		defer beat()()
	}
	status := m.M.Run()
	skips.mu.Lock()
	defer skips.mu.Unlock()
	for _, l := range skips.lacks {
		fmt.Fprintf(os.Stdout, "skipped, as %v:\n\t%s\n", l, strings.Join(skips.tests[l], "\n\t"))
	}
	return status
}

// skips are the tests that were skipped, by what they would have needed.
var skips = struct {
	mu    sync.Mutex
	lacks []Lack // in the order in which they were met
	tests map[Lack][]string
}{tests: make(map[Lack][]string)}

func noteSkip(test string, l Lack) {
	skips.mu.Lock()
	defer skips.mu.Unlock()
	if skips.tests[l] == nil {
		skips.lacks = append(skips.lacks, l)
	}
	skips.tests[l] = append(skips.tests[l], test)
}
