package policy

import (
	"fmt"
	"math"
)

// Conclusion is what evidence amounts to.
type Conclusion struct {
	Verdict Verdict
	// Cause is the way in which it fails: Silent, Reset, Rejected or Garbage for
	// Blocked; Stalled or Slowed in mid-flow; None if it does not fail.
	Cause Outcome
	// Confidence is how sure that is, 0 to 1: the probability that the verdict
	// would stand if everything could be seen, under the assumptions that are
	// named where it is computed. It is 0 if nothing is concluded.
	Confidence float64
	// Why is the evidence that it rests on, in one sentence.
	Why string
}

// String is the verdict with its cause, as people see it: "blocked (dropped)".
func (c Conclusion) String() string { return c.Verdict.With(c.Cause) }

// With is the verdict and the way in which the endpoint fails, where the verdict
// alone does not say it: "blocked (reset)".
func (v Verdict) With(cause Outcome) string {
	if v != Blocked {
		return v.String()
	}
	switch cause {
	case Silent:
		return "blocked (dropped)"
	case Reset, Closed:
		return "blocked (reset)"
	case Rejected:
		return "blocked (rejected)"
	case Garbage:
		return "blocked (answered by another)"
	default:
		return "blocked"
	}
}

// surest is the highest confidence that is ever given: something that nobody
// has thought of is always possible.
const surest = .999

// sure is how sure it is that n failures in a row are no loss, where a share of
// handshakes fails anyhow.
func sure(n int, loss float64) float64 {
	if loss <= 0 {
		loss = assumedLoss
	}
	return min(1-math.Pow(loss, float64(max(n, 1))), surest)
}

// viewed is how sure a view from elsewhere is: it errs if the viewer's way to the
// suspect fails just then, or if the viewer lies. One in 50, assumed; views
// through different endpoints err independently.
func viewed(views []View, s Sight) float64 {
	wrong := 1.
	for _, v := range views {
		if v.Sight() == s {
			wrong /= 50
		}
	}
	return min(1-wrong, surest)
}

// kib is a number of bytes as people read it.
func kib(n int64) string { return fmt.Sprintf("%d KiB", (n+512)>>10) }
