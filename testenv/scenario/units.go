package scenario

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// How values are written. Each parser's error says what would have been right,
// and leaves it to the caller to say where and what was there instead.

const day = 24 * time.Hour

// maxSpan bounds every duration, so that none overflows when it is added to a
// date or multiplied.
const maxSpan = 100 * 365 * day

var (
	errDuration = errors.New("must be a duration like 18ms, 30s, 2h30m or 36d")
	errLong     = errors.New("must be at most 100 years")
	errSize     = errors.New("must be a size in bytes like 512, 16KiB or 1MB")
	errRate     = errors.New("must be a rate like 64kbit/s, 8KiB/s or 1Mbit/s")
	errOften    = errors.New("must be how often, like 20/s, 90/min, 5/h or 3/d")
	errShare    = errors.New("must be a share like 0.25 or 25%")
	errRange    = errors.New("must be from 0 to 1, or from 0% to 100%")
	errHours    = errors.New("must be a part of the day like 08:00-23:00")
	errDate     = errors.New("must be a date like 2018-04-16, 2018-04-16 12:00 or 2018-04-16T12:00:30+03:00, or a time from the beginning like +36h or +2d")
)

// ParseDuration reads a duration as people write it: what [time.ParseDuration]
// takes, without a sign, and days before it, 36d or 1d12h. The longest is 100
// years.
func ParseDuration(s string) (time.Duration, error) {
	var d time.Duration
	clock := s
	if days, rest, found := strings.Cut(s, "d"); found {
		n, err := decimal(days)
		switch {
		case err != nil:
			return 0, errDuration
		case n > float64(maxSpan/day):
			return 0, errLong
		}
		if d, clock = time.Duration(n*float64(day)), rest; clock == "" {
			return d, nil
		}
	}
	if clock == "" || clock[0] == '-' || clock[0] == '+' {
		return 0, errDuration
	}
	rest, err := time.ParseDuration(clock)
	switch {
	case err != nil && strings.HasSuffix(clock, "h") && isDecimal(strings.TrimSuffix(clock, "h")):
		return 0, errLong
	case err != nil:
		return 0, errDuration
	}
	if d += rest; d > maxSpan {
		return 0, errLong
	}
	return d, nil
}

// FormatDuration writes a duration as ParseDuration reads it, in days where it
// is long: 12d13h.
func FormatDuration(d time.Duration) string {
	days := d / day
	d %= day
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	switch {
	case days == 0:
		return s
	case d == 0:
		return fmt.Sprintf("%dd", days)
	}
	return fmt.Sprintf("%dd%s", days, s)
}

// decimal reads a number that is neither negative nor in any way peculiar:
// digits, and perhaps a point and more of them.
func decimal(s string) (float64, error) {
	if !isDecimal(s) {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(s, 64)
}

func isDecimal(s string) bool {
	whole, part, point := strings.Cut(s, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return digits(whole) && (!point || digits(part))
}

// split parts a number from the unit behind it, with or without a blank.
func split(s string) (n float64, unit string, err error) {
	i := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 {
		i = len(s)
	}
	n, err = decimal(s[:i])
	return n, strings.TrimPrefix(s[i:], " "), err
}

// multiples are the prefixes of units, decimal and binary. A lone k means 1000,
// as in kbit.
var multiples = map[string]float64{
	"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}

// ParseSize reads a number of bytes: 512, 16KiB, 1.5MB. KB is 1,000 bytes, KiB
// 1,024. A part of a byte is none.
func ParseSize(s string) (int64, error) {
	n, unit, err := split(s)
	if err != nil {
		return 0, errSize
	}
	multiple, ok := multiples[strings.TrimSuffix(unit, "B")]
	if !ok || unit != "" && !strings.HasSuffix(unit, "B") {
		return 0, errSize
	}
	if n *= multiple; n != math.Trunc(n) || n > 1<<53 {
		return 0, errSize
	}
	return int64(n), nil
}

// ParseRate reads a rate in bits or bytes a second, and returns it in bytes:
// 64kbit/s, 8KiB/s, 1Mbps.
func ParseRate(s string) (float64, error) {
	n, unit, err := split(s)
	if err != nil {
		return 0, errRate
	}
	unit = strings.ReplaceAll(unit, "bps", "bit/s")
	per := 1.0
	multiple, found := strings.CutSuffix(unit, "bit/s")
	if found {
		per = 8
	} else if multiple, found = strings.CutSuffix(unit, "B/s"); !found {
		return 0, errRate
	}
	times, ok := multiples[multiple]
	if !ok || n*times > 1<<53 {
		return 0, errRate
	}
	return n * times / per, nil
}

// parseOften reads how often something happens, and returns it per second.
func parseOften(s string) (float64, error) {
	number, unit, found := strings.Cut(s, "/")
	n, err := decimal(strings.TrimSpace(number))
	per := map[string]float64{"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}[strings.TrimSpace(unit)]
	if !found || err != nil || per == 0 || n > 1e9 {
		return 0, errOften
	}
	return n / per, nil
}

// parseShare reads a share, 0 to 1.
func parseShare(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	n, err := decimal(strings.TrimSpace(number))
	if err != nil {
		return 0, errShare
	}
	if percent {
		n /= 100
	}
	if n > 1 {
		return 0, errRange
	}
	return n, nil
}

// parseHours reads a part of the day.
func parseHours(s string) (Hours, error) {
	from, to, found := strings.Cut(s, "-")
	a, errA := timeOfDay(strings.TrimSpace(from))
	b, errB := timeOfDay(strings.TrimSpace(to))
	if !found || errA != nil || errB != nil || a == b || a == day {
		return Hours{}, errHours
	}
	return Hours{a, b}, nil
}

// String is the part of the day as it is written in a file.
func (h Hours) String() string {
	if h == (Hours{}) {
		return ""
	}
	at := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60) }
	return at(h.From) + "-" + at(h.To)
}

func timeOfDay(s string) (time.Duration, error) {
	if s == "24:00" {
		return day, nil
	}
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err
}

// The ways to write a date. What bears no zone is in that of the beginning.
var (
	zonedDates = []string{
		"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00",
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04Z07:00",
		"2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04 Z07:00",
	}
	plainDates = []string{
		"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02",
	}
)

// parseDate reads a date, or a time from the beginning, which is zero while the
// beginning itself is read.
func parseDate(s string, begins time.Time) (time.Time, error) {
	if offset, found := strings.CutPrefix(s, "+"); found && !begins.IsZero() {
		d, err := ParseDuration(offset)
		if err != nil {
			return time.Time{}, errDate
		}
		return begins.Add(d), nil
	}
	zone := time.UTC
	if !begins.IsZero() {
		zone = begins.Location()
	}
	for _, layout := range zonedDates {
		if t, err := time.Parse(layout, s); err == nil {
			_, offset := t.Zone()
			if offset == 0 {
				return t.UTC(), nil
			}
			// Not the machine's own zone, though it may have the same offset.
			return t.In(time.FixedZone(t.Format("-07:00"), offset)), nil
		}
	}
	for _, layout := range plainDates {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errDate
}
