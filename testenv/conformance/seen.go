package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// End is how a stream ended, as one side sees it.
type End uint8

// The ends. What a side has done itself is none.
const (
	// Silence is none: the side still waits for something.
	Silence End = iota
	// Absent means that there has been no connection.
	Absent
	// Complete means that all that was to be said has been read, or written.
	Complete
	// EOF is a clean end before that.
	EOF
	// Refused is ECONNREFUSED, Reset is ECONNRESET, Pipe is EPIPE, Unreachable is
	// EHOSTUNREACH, TimedOut is ETIMEDOUT.
	Refused
	Reset
	Pipe
	Unreachable
	TimedOut
	// Closed is net.ErrClosed: the process or the machine is gone.
	Closed
	// Other is any other error.
	Other
)

var endNames = [...]string{
	"silence", "no connection", "complete", "EOF", "ECONNREFUSED", "ECONNRESET", "EPIPE",
	"EHOSTUNREACH", "ETIMEDOUT", "closed", "another error",
}

// String is the end as the table has it.
func (e End) String() string {
	if int(e) < len(endNames) {
		return endNames[e]
	}
	return "end?"
}

// endOf is the end that an error means. A deadline, or a context that is over,
// is the observer's patience: silence.
func endOf(err error) End {
	for _, known := range []struct {
		err error
		end End
	}{
		{io.EOF, EOF},
		{syscall.ECONNREFUSED, Refused},
		{syscall.ECONNRESET, Reset},
		{syscall.EPIPE, Pipe},
		{syscall.EHOSTUNREACH, Unreachable},
		{syscall.ETIMEDOUT, TimedOut},
		{net.ErrClosed, Closed},
		{os.ErrDeadlineExceeded, Silence},
		{context.DeadlineExceeded, Silence},
		{context.Canceled, Silence},
	} {
		if errors.Is(err, known.err) {
			return known.end
		}
	}
	return Other
}

// tells is how much an end says of what has happened. Of a side's reading and
// writing the kernel gives the error to one, and the other sees only that
// nothing more will come (see ErrorCases).
func (e End) tells() int {
	switch e {
	case Silence, Absent:
		return 0
	case Complete:
		return 1
	case EOF, Pipe:
		return 2
	case Refused, Reset, Unreachable, TimedOut, Closed, Other:
	}
	return 3
}

// When is the order of magnitude of a time.
type When uint8

// The orders of magnitude. A kernel's times may also be longer.
const (
	// Never is for what has no end.
	Never When = iota
	// AtOnce is within 300 ms.
	AtOnce
	// Soon is within 2.5 s, Second between 0.3 and 2.5 s.
	Soon
	Second
	// Seconds is between 2 s and the end of the observation.
	Seconds
	// Sometime is any time.
	Sometime
)

var whens = [...]struct {
	name        string
	least, most time.Duration
}{
	Never:    {name: "never"},
	AtOnce:   {"at once", 0, 300 * time.Millisecond},
	Soon:     {"soon", 0, 2500 * time.Millisecond},
	Second:   {"about a second", 300 * time.Millisecond, 2500 * time.Millisecond},
	Seconds:  {"seconds", 2 * time.Second, Watch},
	Sometime: {"sometime", 0, Patience},
}

// String is the order of magnitude as the table has it.
func (w When) String() string {
	if int(w) < len(whens) {
		return whens[w].name
	}
	return "when?"
}

// slack is what a busy machine may add on a kernel before what came is late.
const slack = 3 * time.Second

// holds reports whether a time is of that order. On a kernel it may be longer.
func (w When) holds(d time.Duration, late bool) bool {
	most := whens[w].most
	if late {
		most += slack
	}
	return d >= whens[w].least && d <= most
}

// Seen is what one side saw.
type Seen struct {
	End   End
	After time.Duration // from when the trouble began, or was over again
	Bytes int64         // payload that has been read, from the stream's first byte
}

// String is what was seen, with its time as it was.
func (s Seen) String() string {
	switch s.End {
	case Absent:
		return s.End.String()
	case Silence:
		return fmt.Sprintf("%v, %s", s.End, size(s.Bytes))
	default:
	}
	return fmt.Sprintf("%v, %s, %s", s.End, seconds(s.After), size(s.Bytes))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/1024)
}

// Range is the bounds of a count, both inclusive.
type Range struct{ Least, Most int64 }

// holds reports whether n is within the bounds.
func (r Range) holds(n int64) bool { return n >= r.Least && n <= r.Most }

// String is the range for people.
func (r Range) String() string {
	switch {
	case r.Least == r.Most:
		return size(r.Least)
	case r.Most >= unbounded:
		return "at least " + size(r.Least)
	}
	return size(r.Least) + " to " + size(r.Most)
}

// unbounded is more than any case has bytes.
const unbounded = 1 << 40

// exactly is one number, from at least that, between what lies between.
func exactly(n int64) Range       { return Range{n, n} }
func from(n int64) Range          { return Range{n, unbounded} }
func between(low, hi int64) Range { return Range{low, hi} }

// Want is what a side is to see.
type Want struct {
	End   End
	When  When
	Bytes Range
}

// String is what is wanted.
func (w Want) String() string {
	switch w.End {
	case Absent:
		return w.End.String()
	case Silence:
		return fmt.Sprintf("%v, %v", w.End, w.Bytes)
	default:
	}
	return fmt.Sprintf("%v %v, %v", w.End, w.When, w.Bytes)
}

// holds reports whether this is what was seen. On a kernel it may have come
// later.
func (w Want) holds(s Seen, kernel bool) bool {
	switch {
	case w.End != s.End:
		return false
	case w.End == Absent:
		return true
	case w.End != Silence && !w.When.holds(s.After, kernel):
		return false
	}
	return w.Bytes.holds(s.Bytes)
}

// late reports whether nothing is wrong but that it came late.
func (w Want) late(s Seen) bool {
	return w.End == s.End && w.Bytes.holds(s.Bytes) && w.When != Never && s.After > whens[w.When].most+slack
}
