package conformance

import (
	"fmt"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

const (
	// Watch is for how long a case in which nothing more should happen is
	// watched. The SYN schedule (1, 2, 3, 4, 5, 7 s) is seen up to 5 s of it.
	Watch = 6 * time.Second
	// Patience is for how long what must happen is waited for.
	Patience = 30 * time.Second
	// lift is how long a trouble lasts in the moments at which it is lifted.
	lift = 1500 * time.Millisecond
)

// What is said on a connection: the client asks, the server answers, first what
// fits under every freeze, then more than all buffers hold. An upload is the same
// the other way.
const (
	asked = 100
	first = 8 << 10
	rest  = 2 << 20
	whole = first + rest
)

// Moment is when a trouble begins.
type Moment uint8

// The moments.
const (
	// Before is before the SYN. A connection that comes about serves a download.
	Before Moment = iota
	// Handshake is between the SYN-ACK and the first byte. A download follows.
	Handshake
	// Down is in the midst of a download, Up in the midst of an upload, after
	// the first 8 KiB have arrived.
	Down
	Up
	// Idle is after a download, when nobody sends anything.
	Idle
	// Kept is Idle while the client keeps the connection alive, with a probe
	// each second, of which three may go unanswered.
	Kept
	// LiftedBefore is Before, with the trouble over after 1.5 s, LiftedDown the
	// same in the midst of a download. Times count from its end.
	LiftedBefore
	LiftedDown
)

var momentNames = [...]string{
	"before the SYN", "in the handshake", "mid-stream, down", "mid-stream, up", "idle",
	"idle, kept alive", "lifted in a dial", "lifted mid-stream",
}

// String is the moment as the table has it.
func (m Moment) String() string {
	if int(m) < len(momentNames) {
		return momentNames[m]
	}
	return "moment?"
}

// lifted reports whether the trouble ends before the case does.
func (m Moment) lifted() bool { return m == LiftedBefore || m == LiftedDown }

// Pair is what the two sides of a connection are to see.
type Pair struct{ Client, Server Want }

// holds reports whether it was so.
func (p Pair) holds(o Outcome, kernel bool) bool {
	return p.Client.holds(o.Client, kernel) && p.Server.holds(o.Server, kernel)
}

// Case is a trouble at a moment.
type Case struct {
	Trouble *Trouble
	Moment  Moment
	// Pair is what the kernel does.
	Pair
	// Memory is what the network in memory does, where that is something else,
	// and Because says why. Else it is nil.
	Memory  *Pair
	Because string
}

// Trouble is something that befalls a connection.
type Trouble struct {
	// Name is what people call it.
	Name string
	// Rule is in force at the ISP, for the server's address. If it is nil, begin
	// says what happens.
	Rule *blocker.Rule
	// begin makes it happen, and returns what ends it again, if something does.
	begin func(*scene) (end func() error, err error)
	// unserved means that the server's program has never accepted anything.
	unserved bool
	// Unsupported means that the kernel's backend is to say that it cannot do
	// it.
	Unsupported bool
	rows        []row
}

// row is a line of the table of a trouble.
type row struct {
	at             Moment
	client, server Want
	memory         *Pair
	because        string
}

// cases is the table, trouble by trouble.
func cases() (table []Case) {
	all := troubles()
	for n := range all {
		for _, r := range all[n].rows {
			table = append(table, Case{
				Trouble: &all[n], Moment: r.at, Pair: Pair{r.client, r.server},
				Memory: r.memory, Because: r.because,
			})
		}
	}
	return table
}

// Name is the case's, for people.
func (c *Case) Name() string { return c.Trouble.Name + ", " + c.Moment.String() }

// Outcome is what came of a case.
type Outcome struct {
	Client, Server Seen
	// Unsupported is true if the backend said that it cannot do it.
	Unsupported bool
}

// wanted is what a backend is to do.
func (c *Case) wanted(kernel bool) Pair {
	if !kernel && c.Memory != nil {
		return *c.Memory
	}
	return c.Pair
}

// differs tells how an outcome is not what the table says of that backend, or is
// empty.
func (c *Case) differs(o Outcome, kernel bool) string {
	want := c.wanted(kernel)
	switch {
	case kernel && c.Trouble.Unsupported && o.Unsupported:
		return ""
	case kernel && c.Trouble.Unsupported:
		return "it should have said that it cannot do it"
	case o.Unsupported:
		return "it says that it cannot do it"
	case want.holds(o, kernel):
		return ""
	}
	return fmt.Sprintf("client: %v, want %v; server: %v, want %v", o.Client, want.Client, o.Server, want.Server)
}

// late reports whether nothing is wrong with what a kernel did but that a side
// saw the right thing late, as on a busy machine.
func (c *Case) late(o Outcome) bool {
	client, server := c.Client.holds(o.Client, true), c.Server.holds(o.Server, true)
	return !(client && server) && (client || c.Client.late(o.Client)) && (server || c.Server.late(o.Server))
}
