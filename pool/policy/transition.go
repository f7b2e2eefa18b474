package policy

import "fmt"

// Event is what moves an endpoint from one state to another.
type Event uint8

// The events.
const (
	// Needed: a slot is free and this endpoint is the best to fill it.
	Needed Event = iota
	// Doubted: evidence says that something may be wrong.
	Doubted
	// Cleared: an examination or an answer dispelled the doubt.
	Cleared
	// Benched: cleared or passed, but its slot has been given to another.
	Benched
	// Condemned: the verdict is that it does not work from here.
	Condemned
	// Returned: a retest of a dead endpoint was answered.
	Returned
	// Removed: its source or the operator took it out.
	Removed
	// Restored: what was removed is back.
	Restored
	// Events is the number of events.
	Events
)

var eventNames = [...]string{"needed", "doubted", "cleared", "benched", "condemned", "returned", "removed", "restored"}

// String is the event in lower case.
func (e Event) String() string {
	if int(e) < len(eventNames) {
		return eventNames[e]
	}
	return "event?"
}

// transitions lists every allowed step; what is absent cannot happen. A canary
// is a reserve endpoint that was asked while nobody else answered, so a reserve
// can be condemned without having served anybody.
var transitions = map[State]map[Event]State{
	Reserve:   {Needed: Active, Condemned: Dead, Removed: Retired},
	Active:    {Doubted: Suspect, Removed: Retired},
	Suspect:   {Cleared: Active, Benched: Reserve, Condemned: Dead, Removed: Retired},
	Dead:      {Returned: Probation, Removed: Retired},
	Probation: {Needed: Active, Benched: Reserve, Condemned: Dead, Removed: Retired},
	Retired:   {Restored: Reserve},
}

// Next is the state that follows s upon e. It fails if e cannot happen in s;
// the state is then unchanged.
func Next(s State, e Event) (State, error) {
	to, ok := transitions[s][e]
	if !ok {
		return s, fmt.Errorf("endpoint in state %s cannot be %s", s, e)
	}
	return to, nil
}
