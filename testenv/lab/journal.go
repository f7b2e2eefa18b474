package lab

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Journal is a [Display] that writes plain lines, for files and pipes: each
// event once its numbers stand, and about every five seconds how things are.
type Journal struct {
	// W is where the lines go.
	W io.Writer

	written int           // the number of the last event that was written
	told    time.Duration // when in the run the last account was given
	begun   bool
}

var _ Display = (*Journal)(nil)

// accountEvery is the pause between two accounts of a journal. One waits for
// an event whose numbers still change, but not longer than that again.
const accountEvery = 5 * time.Second

// Show writes what is new.
func (j *Journal) Show(s State) {
	var b strings.Builder
	if !j.begun {
		j.begun = true
		fmt.Fprintf(&b, "%s in %s; try: %s\n", s.Title, seconds(s.Length), s.try())
	}
	// Later events wait for one whose numbers still change.
	settled := true
	for _, e := range s.Events {
		if settled = settled && e.Settled; settled && e.N > j.written {
			j.written = e.N
			fmt.Fprintln(&b, e)
		}
	}
	if late := s.Elapsed - j.told; settled && late >= accountEvery || late >= 2*accountEvery {
		j.told = s.Elapsed.Truncate(accountEvery)
		fmt.Fprintf(&b, "%s   %s\n", s.date(), s.account())
	}
	if b.Len() > 0 {
		_, _ = io.WriteString(j.W, b.String())
	}
}

// String is the event as a sentence:
// "04-16 17:10 blocker lists 52.58.0.0/15; 3 endpoints blocked; 41 clients moved in 0.3 s".
func (e Event) String() string {
	s := e.date() + " " + e.Text
	if e.Lost > 0 {
		s += "; " + count(e.Lost, "endpoint") + " blocked"
	}
	if e.Moved > 0 {
		s += fmt.Sprintf("; %s moved in %s", count(e.Moved, "client"), tenths(e.Took))
	}
	return s
}

// account is how things are, in one line.
func (s State) account() string {
	var ok, failed int
	for _, i := range s.ISPs {
		ok, failed = ok+i.OK, failed+i.Failed
	}
	var sum ProviderState
	for _, p := range s.Pool {
		sum.Active += p.Active
		sum.Suspect += p.Suspect
		sum.Dead += p.Dead
		sum.Reserve += p.Reserve
	}
	return fmt.Sprintf("%d ok, %d failed in %s; %d active, %d suspect, %d dead, %d in reserve; %s addresses blocked, %d tenants hit",
		ok, failed, seconds(window), sum.Active, sum.Suspect, sum.Dead, sum.Reserve, thousands(s.Blocked), len(s.Hit))
}
