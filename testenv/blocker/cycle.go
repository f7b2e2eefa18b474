package blocker

import "time"

// Cycle is a schedule that repeats: on for a part of each turn, off for the
// rest, as with a rule that holds by day only. It knows no dates and no time
// zones: a day is a turn of 24 h, or of less where a world plays faster than
// life. The zero value is always on.
type Cycle struct {
	// Start is when the schedule is switched on in one of its turns. There is no
	// first turn: it reaches back as far as it reaches ahead. Zero means 1970-01-01
	// 00:00 UTC.
	Start time.Time
	// Every is how long a turn takes; zero or less means always on.
	Every time.Duration
	// On is for how long of each turn it is on. Zero or less is never, Every or
	// more always.
	On time.Duration
}

// Holds reports whether the schedule is on.
func (c Cycle) Holds(now time.Time) bool { return c.Every <= 0 || c.phase(now) < c.On }

// Next is the first moment at or after t at which the schedule is on; zero if it
// never is.
func (c Cycle) Next(t time.Time) time.Time {
	switch {
	case c.Holds(t):
		return t
	case c.On <= 0:
		return time.Time{}
	}
	return t.Add(c.Every - c.phase(t))
}

// Turns is the first moment after t at which the schedule is switched on or off;
// zero if it never is.
func (c Cycle) Turns(t time.Time) time.Time {
	if c.Every <= 0 || c.On <= 0 || c.On >= c.Every {
		return time.Time{}
	}
	if p := c.phase(t); p < c.On {
		return t.Add(c.On - p)
	}
	return t.Add(c.Every - c.phase(t))
}

// phase is how long ago the turn began in which t lies.
func (c Cycle) phase(t time.Time) time.Duration {
	start := c.Start
	if start.IsZero() {
		start = time.Unix(0, 0) // the year 1 is further away than a Duration reaches
	}
	p := t.Sub(start) % c.Every
	if p < 0 {
		p += c.Every
	}
	return p
}
