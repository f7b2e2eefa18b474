package worldtest

import (
	"flag"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/kernel"
)

var realTime = flag.Bool("realtime", false, "run worlds in memory in real time, as those on a kernel are, to tell what fails for that reason")

// always is what M.On says.
var always testenv.Backend

// Backend is what the tests' worlds run on.
func Backend() testenv.Backend {
	if always != testenv.Chosen {
		return always
	}
	b, err := testenv.ParseBackend(os.Getenv(testenv.Variable))
	if err != nil {
		panic(err)
	}
	return b
}

// RealTime reports whether a test waits as long as it sleeps.
func RealTime() bool { return Backend() == testenv.Kernel || *realTime }

// Run plays a test in its time: in a bubble, or just so. Where it needs a kernel and
// no world can be made, it is skipped, with the reason; but where everything is meant
// to be there, which is where the environment variable CI is "true", it fails.
func Run(t *testing.T, play func(t *testing.T)) {
	t.Helper()
	if Kernels.here() {
		err := kernel.Supported()
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		noteSkip(t.Name(), Kernels)
		t.Skip(err)
	}
	if RealTime() {
		play(t)
		return
	}
	synctest.Test(t, play)
}

// Settle waits until everything that can happen now has happened. In real time
// nobody can know that: it waits for a moment, and what follows may rely on it
// only where a slow machine is no failure.
func Settle() {
	if RealTime() {
		time.Sleep(100 * time.Millisecond)
		return
	}
	synctest.Wait()
}

// tolerance is what two cores that are busy with a dozen worlds at a time, and
// with whatever else the machine does, may add to anything that is measured: a
// scheduler's pauses and garbage collections in the relay, the world and the
// clients, one after the other. It was chosen to be far beyond what they add, so
// that it decides nothing, and short of what it would cost to wait for a time
// limit instead of noticing: clients lose their patience after ten seconds, and a
// kernel without help its connections after minutes.
const tolerance = 2 * time.Second

// Tolerance is what a test adds to each bound on a time that it measures. It is
// zero where time is virtual: bounds are exact there.
func Tolerance() time.Duration {
	if RealTime() {
		return tolerance
	}
	return 0
}

// Span is how long something takes that may take any time: long is for where
// waiting costs nothing.
func Span(long, short time.Duration) time.Duration {
	if RealTime() {
		return short
	}
	return long
}
