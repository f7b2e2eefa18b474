package policy

import "time"

// ActionKind is what a [Group] asks for or tells.
type ActionKind uint8

// The kinds of action.
const (
	// Transition tells that Endpoint went From one state To another.
	Transition ActionKind = iota
	// Examine asks to examine Endpoint at Depth, and each of Controls at Greet
	// at the same instant, and to give all results to [Group.Examined]. With
	// Outside, the controls outside of the pool are asked at that instant too,
	// once for all actions of one Advance. The first of them that answers goes
	// to [Group.ControlAnswered] at once, and into the results.
	Examine
	// OutageBegan tells that nobody answers, canaries included: it is us. Why says
	// more, if there is more to say.
	OutageBegan
	// OutageEnded tells that Endpoint answers again; -1 if all that were silent
	// are gone, or a control answers and they do not (Why says which), and others
	// take their place.
	OutageEnded
	// Canary tells that Endpoint, a reserve, is exposed to learn whether it is
	// us or them. The Examine action follows by itself.
	Canary
)

// Action is one thing that [Group.Advance] asks for or tells.
type Action struct {
	Kind     ActionKind
	Endpoint int
	// For Transition.
	From, To State
	Verdict  Verdict
	Cause    Outcome
	// Confidence is that of the Verdict, see [Conclusion].
	Confidence float64
	Why        string
	// For Examine. Depth, Size, OneWay, Upward, Tries, Patience, Doubtful and Loss
	// are those of [Look].
	Depth    Depth
	Size     int64
	OneWay   bool
	Upward   bool
	Tries    int
	Patience time.Duration
	Doubtful bool
	Loss     float64
	Controls []int
	Outside  bool
	// Views are from where else to look, Egress is the endpoint that is to be
	// reached through this one, if there is one in it.
	Views  []Sightline
	Egress []int
}

// Sightline is a [Viewpoint] by index. Control is [Outside] if there is no third
// endpoint to serve as one.
type Sightline struct {
	Viewer, Control int
}
