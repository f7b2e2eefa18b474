package pool

import (
	"fmt"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// EventKind is what an [Event] tells.
type EventKind uint8

// The kinds of event.
const (
	// Changed: Endpoint went From one state To another (equal if only the
	// verdict changed).
	Changed EventKind = iota
	// Moved: N clients were moved to another endpoint than before.
	Moved
	// OutageBegan: no endpoint answers and no canary did: it is our network.
	OutageBegan
	// OutageEnded: somebody answers again, or those that were silent are gone or
	// given up, as Text says.
	OutageEnded
	// Canary: the reserve Endpoint is exposed to learn whether it is us or them.
	Canary
	// Missed: the watcher was too slow, and N events are lost to it.
	Missed
)

// Event is one change in the pool.
type Event struct {
	At       time.Time
	Kind     EventKind
	Endpoint *Endpoint // nil for Moved, OutageBegan and Missed; OutageEnded may have none
	From, To policy.State
	Verdict  policy.Verdict
	Cause    policy.Outcome
	// Confidence is how sure the verdict is, 0 to 1; see policy.Conclusion.
	Confidence float64
	// Text is the reason, for people.
	Text string
	N    int
}

// String is the event in one line, without the time.
func (e Event) String() string {
	switch e.Kind {
	case Changed:
		if e.From == e.To {
			return fmt.Sprintf("%s is %s: %s", e.Endpoint.Name(), e.Verdict.With(e.Cause), e.Text)
		}
		s := fmt.Sprintf("%s: %s -> %s", e.Endpoint.Name(), e.From, e.To)
		if e.To == policy.Dead && e.Verdict != policy.Unknown {
			s += fmt.Sprintf(", %s", e.Verdict.With(e.Cause))
		}
		if e.Text != "" {
			s += ": " + e.Text
		}
		return s
	case Moved:
		return fmt.Sprintf("%d clients moved", e.N)
	case OutageBegan:
		if e.Text != "" {
			return "no endpoint answers as one: " + e.Text
		}
		return "no endpoint answers: our own network is taken to be down"
	case OutageEnded:
		switch {
		case e.Endpoint == nil && e.Text != "":
			return e.Text + ": it is not our own network, asking other endpoints"
		case e.Endpoint == nil:
			return "those that did not answer are gone: asking others"
		}
		return fmt.Sprintf("%s answers again: the network is back", e.Endpoint.Name())
	case Canary:
		return fmt.Sprintf("nobody answers: asking %s from the reserve", e.Endpoint.Name())
	default:
		return fmt.Sprintf("%d events missed", e.N)
	}
}
