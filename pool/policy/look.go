package policy

import "time"

// DefaultSize is how many bytes a Carry moves each way: enough to see every
// freeze that was reported (12 to 24 KB), with a good margin.
const DefaultSize = 64 << 10

// Look is what an examination of one endpoint is to do.
type Look struct {
	// Depth is how thorough it is to be.
	Depth Depth
	// Size is how many bytes a Carry moves each way; zero is DefaultSize. More is
	// asked for when flows are suspected to stop later than that.
	Size int64
	// OneWay asks for the download alone, Upward for the upload alone.
	OneWay, Upward bool
	// Tries is how many handshakes are to be made independently of each other,
	// each for its full time; zero leaves it to the prober. Patience is the least
	// time that a TCP handshake is given before it is called silent.
	Tries    int
	Patience time.Duration
	// Doubtful asks for what a verdict needs and a routine look does not: both
	// directions, and several flows in each.
	Doubtful bool
	// Loss is the share of handshakes that fail there while all is well, as far as
	// is known, 0 to 1.
	Loss float64
	// Views are from where else to look at the endpoint, beside the look that is
	// straight from here, and through whom to make the same download if its own
	// takes long ([Examination.Usual]). Nothing is seen from elsewhere if there are none.
	Views []Viewpoint
	// Egress is another endpoint, known to answer, that is to be reached through
	// the examined one: CONNECT and greeting, no credentials. Nil asks for no such
	// thing.
	Egress *Spec
}

// Viewpoint is another live endpoint through which a suspect is looked at, and the
// control that is asked through it at the same time. What is sent to either of them
// is CONNECT and the greeting, and no credentials.
type Viewpoint struct {
	// Viewer is the endpoint to look through, in another prefix than the suspect if
	// there is one.
	Viewer Spec
	// Control is a third endpoint, known to answer. If its Host is empty the
	// control is what the viewer itself serves, or a probe target.
	Control Spec
}
