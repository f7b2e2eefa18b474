package worldtest

import (
	"flag"
	"fmt"
	"os"
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

// Run runs the tests, and returns their exit status. On a kernel they run where
// worlds can be made. If there is no right to make any, none is run, and that is
// well: it says so, with the reason. But where everything is meant to be there,
// which is where the environment variable CI is "true", it is a failure. In the
// end it says what was skipped, and why.
func (m M) Run() int {
	always = m.On
	if Backend() == testenv.Kernel {
		return kernel.Main(m.onKernel)
	}
	return m.run()
}

func (m M) onKernel() int {
	err := kernel.Supported()
	switch {
	case err == nil:
		return m.run()
	case os.Getenv("CI") == "true":
		fmt.Fprintf(os.Stderr, "no test can run: %v\n", err)
		return 1
	}
	fmt.Fprintf(os.Stderr, "all tests are skipped: %v\n", err)
	return 0
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
