package lab

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// thousands is n with a comma after every third digit: 16,084,992.
func thousands[T ~int | ~int64 | ~uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// seconds is a duration with as many digits as say something.
func seconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 1:
		return fmt.Sprintf("%.2f s", s)
	case s < 10:
		return fmt.Sprintf("%.1f s", s)
	default:
		return fmt.Sprintf("%.0f s", s)
	}
}

// clockTime is a duration as minutes and seconds: 1:05.
func clockTime(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// percent is a share that is 100 only if it is 1.
func percent(share float64) string {
	if share < 1 {
		share = min(share, .9999)
	}
	s := fmt.Sprintf("%.2f", share*100)
	if share == 1 {
		s = "100"
	}
	return s + " %"
}

// count is a number with its noun: 1 endpoint, 2 endpoints.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// list joins words: a, b and c.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// wrap joins words with commas into lines of at most width characters.
func wrap(words []string, width int) (lines []string) {
	for i, word := range words {
		if i < len(words)-1 {
			word += ","
		}
		if n := len(lines); n > 0 && len(lines[n-1])+1+len(word) <= width {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// days is a time of the scenario, in days, or in hours if it is short.
func days(d time.Duration) string {
	if d < 48*time.Hour {
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f d", d.Hours()/24)
}

// How the scenario's dates are shown: month, day and time, or the time to the
// second in stories of less than a day.
const (
	dateFormat = "01-02 15:04"
	timeFormat = "15:04:05"
)

// layoutOf is how the dates of a story are shown that lasts so long.
func layoutOf(lasts time.Duration) string {
	if lasts < 24*time.Hour {
		return timeFormat
	}
	return dateFormat
}

// date is what the clock shows.
func (s State) date() string { return s.Date.Format(cmp.Or(s.Layout, dateFormat)) }

// date is when the event was.
func (e Event) date() string { return e.At.Format(cmp.Or(e.Layout, dateFormat)) }
