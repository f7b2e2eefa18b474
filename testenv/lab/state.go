package lab

import (
	"cmp"
	"time"
)

// State is a picture of a run at one moment. It shares nothing with the run.
type State struct {
	// Title is the scenario's, Date what its clock shows.
	Title string
	Date  time.Time
	// Layout is how dates are shown, as time.Format takes it; empty means
	// "01-02 15:04".
	Layout string
	// Elapsed is how much of Length has been played.
	Elapsed, Length time.Duration
	// Port is where the first ISP's relay listens, Site the name of the destination
	// to try it with; empty means telegram.lab.
	Port, Site string
	// ISPs are the vantages, in the scenario's order.
	ISPs []ISPState
	// Pool counts the endpoints that the first ISP's relay knows of.
	Pool []ProviderState
	// Blocked is how many addresses the first ISP keeps from its users, Peak
	// the most that it ever was.
	Blocked, Peak uint64
	// Hit are the tenants with a listed address, Tenants how many there are.
	Hit     []string
	Tenants int
	// Events are the latest, oldest first.
	Events []Event
}

// try is a command that shows the relay at work.
func (s State) try() string {
	return "curl -x socks5h://" + s.Port + " http://" + cmp.Or(s.Site, siteName) + "/"
}

// ISPState is what the clients of one ISP get.
type ISPState struct {
	Name string
	// OK and Failed are the requests that ended in the last five seconds.
	OK, Failed int
	// Slowest is the longest wait for an answer among them.
	Slowest time.Duration
	// Streams is how many long ones are open.
	Streams int
	// Strip is the run so far, in equal parts of Length, one Cell for each.
	Strip []Cell
	// Answered is the share of all requests so far that did not fail, 0 to 1.
	Answered float64
}

// ProviderState counts the endpoints of one provider.
type ProviderState struct {
	Name                           string
	Active, Suspect, Dead, Reserve int
}

// Cell is the fate of the requests that ended in one part of a run.
type Cell struct {
	OK, Slow, Failed int
}

// slow is from when on an answer counts as a slow one.
const slow = time.Second

// Event is something that happened. The zero value of a field is not shown.
type Event struct {
	// N numbers the events of a run, from 1.
	N int
	// At is the scenario's date, Layout how it is shown, as in a State.
	At     time.Time
	Layout string
	// Text is what happened, in a few words.
	Text string
	// Good is true for what helps the clients.
	Good bool
	// Lost is how many endpoints known to the first ISP's relay came under a
	// rule there by it.
	Lost int
	// Moved is how many clients there were sent to another endpoint, Took until
	// the last of them was.
	Moved int
	Took  time.Duration
	// Settled is true when the numbers will not change any more.
	Settled bool
}

// Display shows the states of a run. Show is called a few times a second and
// once at the end, never by two goroutines at a time; it must not keep the run
// waiting.
type Display interface {
	Show(State)
}

// DisplayFunc lets a function be a [Display].
type DisplayFunc func(State)

// Show calls f.
func (f DisplayFunc) Show(s State) { f(s) }
