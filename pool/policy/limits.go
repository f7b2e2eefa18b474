package policy

import (
	"errors"
	"fmt"
	"time"
)

// Limits are the numbers that govern a [Group]. The zero value of each field
// stands for its default.
type Limits struct {
	// Active is how many endpoints serve at once, 1 to 256; default 8.
	Active int
	// ProbeEvery is how long an endpoint in use may stay without an answer
	// before it is asked, at most; default 10 s. Unused ones are asked every
	// IdleEvery, default 1 min. Both are shortened by up to 20 % at random.
	ProbeEvery, IdleEvery time.Duration
	// CarryEvery is how often an active endpoint must show that it carries
	// enough bytes to rule out a freeze; default 5 min.
	CarryEvery time.Duration
	// Quiet is how long nobody must have answered before the pool asks whether
	// it is us or them; default 1 s.
	Quiet time.Duration
	// CanaryEvery is the pause between canaries, default 2 s; Canaries is how
	// many are asked in a row, default 3. Each one exposes a reserve. If all were
	// silent, one more is asked after 3 s, and so on with pauses that grow
	// fivefold up to RetestMax.
	CanaryEvery time.Duration
	Canaries    int
	// Controls is how many controls there are outside of the pool; default none.
	// While there is one, no canary is asked before they were.
	Controls int
	// RetestMin and RetestMax bound the pause before a dead endpoint is tried
	// again, which doubles from one to the other; defaults 5 s and 10 min.
	// While nothing is active the pause is RetestMin at most.
	RetestMin, RetestMax time.Duration
	// Probation is the pause between the first and the second answer of an
	// endpoint that was dead; default 5 s. It is skipped while a slot is free.
	Probation time.Duration
	// MuteMin and MuteMax bound how long a lull in a flow raises no suspicion
	// against an endpoint that was just cleared of one; the time doubles with
	// each clearing. Defaults 30 s and 10 min.
	MuteMin, MuteMax time.Duration
}

func (l Limits) withDefaults() Limits {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if l.Active == 0 {
		l.Active = 8
	}
	if l.Canaries == 0 {
		l.Canaries = 3
	}
	def(&l.ProbeEvery, 10*time.Second)
	def(&l.IdleEvery, time.Minute)
	def(&l.CarryEvery, 5*time.Minute)
	def(&l.Quiet, time.Second)
	def(&l.CanaryEvery, 2*time.Second)
	def(&l.RetestMin, 5*time.Second)
	def(&l.RetestMax, 10*time.Minute)
	def(&l.Probation, 5*time.Second)
	def(&l.MuteMin, 30*time.Second)
	def(&l.MuteMax, 10*time.Minute)
	return l
}

// Validate says all that is wrong with the limits at once.
func (l Limits) Validate() error {
	var errs []error
	if l.Active < 0 || l.Active > 256 {
		errs = append(errs, fmt.Errorf("active endpoints: want 1 to 256, got %d", l.Active))
	}
	if l.Canaries < 0 {
		errs = append(errs, fmt.Errorf("canaries: want 0 or more, got %d", l.Canaries))
	}
	if l.Controls < 0 {
		errs = append(errs, fmt.Errorf("controls: want 0 or more, got %d", l.Controls))
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{
		{"probe interval", l.ProbeEvery},
		{"idle probe interval", l.IdleEvery},
		{"carry interval", l.CarryEvery},
		{"quiet time", l.Quiet},
		{"canary interval", l.CanaryEvery},
		{"shortest retest pause", l.RetestMin},
		{"longest retest pause", l.RetestMax},
		{"probation", l.Probation},
		{"shortest mute", l.MuteMin},
		{"longest mute", l.MuteMax},
	} {
		if d.v < 0 {
			errs = append(errs, fmt.Errorf("%s: must not be negative, got %s", d.name, d.v))
		}
	}
	return errors.Join(errs...)
}
