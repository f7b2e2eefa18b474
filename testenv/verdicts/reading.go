package verdicts

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Label is what the pool says of an endpoint, in a word: a column of the matrix.
type Label string

// The labels, in the order of the columns.
const (
	LabelAlive     Label = "alive"
	LabelDropped   Label = "dropped"
	LabelReset     Label = "reset"
	LabelRejected  Label = "rejected"
	LabelFrozen    Label = "frozen"
	LabelThrottled Label = "throttled"
	LabelDown      Label = "down"
	LabelNoEgress  Label = "no-egress"
	LabelMisconfig Label = "misconf"
	LabelUs        Label = "us"
	LabelSuspect   Label = "suspect"
	LabelUnknown   Label = "unknown"
)

// Labels are all of them.
func Labels() []Label {
	return []Label{
		LabelAlive, LabelDropped, LabelReset, LabelRejected, LabelFrozen, LabelThrottled,
		LabelDown, LabelNoEgress, LabelMisconfig, LabelUs, LabelSuspect, LabelUnknown,
	}
}

// Opinion is what the pool holds of an endpoint at a moment.
type Opinion struct {
	At      time.Duration // from the first affected attempt
	State   policy.State
	Verdict policy.Verdict
	Cause   policy.Outcome
	// Bytes is where flows are said to stop, 0 if that is not said.
	Bytes int64
	// Way is in which direction, "up" or "down"; empty if that is not said.
	Way string
	// Outage is true if the pool takes our own network to be down.
	Outage bool
	Why    string
}

// OpinionOf is what a row of the pool's table says. Our own network is not in it.
func OpinionOf(r *pool.Row) Opinion {
	bytes, way := place(r.Why)
	return Opinion{State: r.State, Verdict: r.Verdict, Cause: r.Cause, Bytes: bytes, Way: way, Why: r.Why}
}

// Label is the opinion in a word. The verdict on an endpoint in use is what was
// last seen of it; one that is suspected has none.
func (o Opinion) Label() Label {
	if o.Outage && o.State != policy.Dead {
		return LabelUs
	}
	if o.State == policy.Suspect {
		return LabelSuspect
	}
	switch o.Verdict {
	case policy.Alive:
		return LabelAlive
	case policy.Blocked:
		switch o.Cause {
		case policy.Reset:
			return LabelReset
		case policy.Rejected:
			return LabelRejected
		default:
			return LabelDropped
		}
	case policy.Frozen:
		return LabelFrozen
	case policy.Throttled:
		return LabelThrottled
	case policy.Down:
		return LabelDown
	case policy.NoEgress:
		return LabelNoEgress
	case policy.Misconfigured:
		return LabelMisconfig
	case policy.Unknown:
	}
	return LabelUnknown
}

// is reports whether an opinion is one of the answers.
func (o Opinion) is(answers []Answer) bool {
	return slices.ContainsFunc(answers, func(a Answer) bool {
		if a.Us || o.Outage && o.State != policy.Dead {
			return a.Us && o.Outage && o.State != policy.Dead
		}
		return o.State != policy.Suspect && o.Verdict == a.Verdict && (a.Cause == policy.None || o.Cause == a.Cause)
	})
}

var stopsAt = regexp.MustCompile(`at about ([0-9.]+) (B|KiB|MiB)(?: (up|down))?`)

// place is where a reason says that flows stop, in bytes, and which way; 0 if it does
// not.
func place(why string) (bytes int64, way string) {
	m := stopsAt.FindStringSubmatch(why)
	if m == nil {
		return 0, ""
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, ""
	}
	return int64(n * map[string]float64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}[m[2]]), m[3]
}

// near reports whether a place that was named is about where a freeze begins.
func (o Opinion) near(bytes int64) bool {
	if bytes == 0 || o.Bytes == 0 {
		return true
	}
	return max(o.Bytes-bytes, bytes-o.Bytes) <= max(bytes/3, 4<<10)
}

// Accepts reports whether an opinion counts as right of whom the events of the
// case strike, at the first reading of a run.
func (c *Case) Accepts(o Opinion, d Draw) bool {
	if o.is(c.Right) && (o.Verdict != policy.Frozen || o.near(c.Bytes) && (c.Way == "" || o.Way == "" || o.Way == c.Way)) {
		return true
	}
	if c.Undecidable && (o.State == policy.Suspect || o.Verdict == policy.Unknown) {
		return true
	}
	return c.Explained != nil && c.Explained(d) && o.Verdict == policy.Alive && o.State != policy.Suspect
}
