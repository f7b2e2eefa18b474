package policy

import "time"

// View is what a suspect looked like through another live endpoint, which sees
// it from outside the network that we are in.
type View struct {
	// Through is the viewer's name.
	Through string
	// Asked is when the suspect was asked for through the viewer, At when this
	// was known.
	Asked, At time.Time
	// Control is how the control fared that was asked through the same viewer at
	// the same time. Anything but Answered makes this no view.
	Control Outcome
	// Own is true if the control was what the viewer serves itself: that shows that
	// it runs, and not that it gets out.
	Own bool
	// Suspect is how the suspect fared: Answered (it answered the greeting),
	// Silent (nothing for max(1 s, 4 round trips)), Refused with Reply (the
	// viewer's answer to CONNECT), Closed, Reset or Garbage in the greeting, or
	// None (not asked).
	Suspect Outcome
	Reply   uint8
}

// Sight is what a view shows.
type Sight uint8

// The sights.
const (
	// NoView shows nothing: the viewer did not answer, refused, or could not
	// reach its control either.
	NoView Sight = iota
	// SeenUp shows that the endpoint runs.
	SeenUp
	// SeenDown shows that it does not answer from outside either.
	SeenDown
)

// Sight is what the view shows. A viewer that refuses (replies 1 and 2, 7 and 8)
// shows nothing; 3, 4, 5 and 6 tell of the way from it to the suspect (RFC 1928,
// section 6), while the same way to the control was fine. Where the control was the
// viewer's own, only what comes from the suspect's host itself is believed.
func (v View) Sight() Sight {
	if v.Control != Answered {
		return NoView
	}
	switch v.Suspect {
	case Answered, Garbage, Denied:
		return SeenUp
	case Reset, Closed:
		return SeenDown // somebody has answered the viewer
	case Silent:
		if !v.Own {
			return SeenDown
		}
	case Refused:
		if v.Reply == 5 || !v.Own && 3 <= v.Reply && v.Reply <= 6 {
			return SeenDown
		}
	default:
	}
	return NoView
}

// Seen puts several views together: one that sees the endpoint up is enough,
// since nobody can see what does not run; else one that sees it down.
func Seen(views []View) Sight {
	seen := NoView
	for _, v := range views {
		switch v.Sight() {
		case SeenUp:
			return SeenUp
		case SeenDown:
			seen = SeenDown
		case NoView:
		}
	}
	return seen
}
