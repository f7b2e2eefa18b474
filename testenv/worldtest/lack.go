package worldtest

import (
	"errors"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/kernel"
)

// Lack is something that worlds in memory show and those on a kernel do not. It
// is an errors.ErrUnsupported.
type Lack string

// All that is lacking.
const (
	// Names are read in what flows carry; nftables looks at packets' headers.
	Names Lack = "rules for names: nftables does not look into what flows carry"
	// Latency needs a queueing discipline that holds packets back, which some
	// kernels have.
	Latency Lack = "latency: this kernel has no netem, so that round trips take next to no time"
	// Kernels takes the right to make network namespaces, and what a kernel may lack.
	Kernels Lack = "everything: no world can be made here"
	// Bursts are losses that come together.
	Bursts Lack = "loss in bursts: nftables draws for each packet alone"
	// Queues are bottlenecks that packets wait in.
	Queues Lack = "bottlenecks: there is no queue of a given rate and size that all who share a line wait in"
	// Hours pass where time is virtual.
	Hours Lack = "hours: they pass at once in virtual time only"
)

var _ error = Lack("")

// Error implements error.
func (l Lack) Error() string { return "a kernel world lacks " + string(l) }

// Is makes it an errors.ErrUnsupported.
func (Lack) Is(target error) bool { return target == errors.ErrUnsupported }

// here reports whether the tests' worlds lack it.
func (l Lack) here() bool {
	switch {
	case l == Hours:
		return RealTime()
	case Backend() != testenv.Kernel:
		return false
	case l == Latency:
		return kernel.Delays() != nil
	case l == Kernels:
		return kernel.Supported() != nil
	}
	return true
}

// Needs skips a test of something that its world lacks, and says so.
func Needs(t testing.TB, lacks ...Lack) {
	t.Helper()
	for _, l := range lacks {
		if l.here() {
			noteSkip(t.Name(), l)
			t.Skip(l)
		}
	}
}

// Far is a latency, or none where there is a lack of it: for tests that have one
// and say nothing about it.
func Far(d time.Duration) time.Duration {
	if Latency.here() {
		return 0
	}
	return d
}
