package worldtest

import (
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/kernel"
)

// M are the tests of a package, for its TestMain.
type M struct {
	*testing.M
	// On is what their worlds run on, if it is always the same; by default it is
	// what the environment says.
	On testenv.Backend
}

// Run runs the tests, and returns their exit status: on a kernel, where worlds can
// be made, if there is a right to make any; see [Run] for where there is none. In
// the end it says what was skipped, and why.
func (m M) Run() int {
	always = m.On
	if Backend() == testenv.Kernel {
		return kernel.Main(m.run)
	}
	return m.run()
}

func (m M) run() int {
	flag.Parse()
	if RealTime() {
		defer beat()()
	}
	status := m.M.Run()
	skips.mu.Lock()
	defer skips.mu.Unlock()
	for _, l := range skips.lacks {
		fmt.Printf("skipped, as %v:\n\t%s\n", l, strings.Join(skips.tests[l], "\n\t"))
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
