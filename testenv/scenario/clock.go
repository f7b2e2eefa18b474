package scenario

import "time"

// Clock maps the playing of a story onto its dates. It is linear between its
// frames, so that days in which much happened can take longer than others.
type Clock []Frame

// Frame pins a date to a share of the playing, 0 to 1.
type Frame struct {
	Date  time.Time `yaml:"at,required"`
	Share float64   `yaml:"share,required,share"`
}

// Timeline is the whole clock: the frames of Clock and both ends of the story.
func (s *Scenario) Timeline() Clock {
	c := Clock{{s.Begins, 0}}
	for _, f := range s.Clock {
		if f.Date.After(s.Begins) && f.Date.Before(s.Ends()) {
			c = append(c, f)
		}
	}
	return append(c, Frame{s.Ends(), 1})
}

// Ends is the story's last moment.
func (s *Scenario) Ends() time.Time { return s.Begins.Add(s.Lasts) }

// Date is what the clock shows at a share of the playing. Beyond the ends it
// stands still.
func (c Clock) Date(share float64) time.Time {
	if share <= 0 {
		return c[0].Date
	}
	for i := 1; i < len(c); i++ {
		if share <= c[i].Share {
			part := (share - c[i-1].Share) / (c[i].Share - c[i-1].Share)
			return c[i-1].Date.Add(time.Duration(part * float64(c[i].Date.Sub(c[i-1].Date))))
		}
	}
	return c[len(c)-1].Date
}

// Share is when in the playing the clock shows a date, 0 to 1.
func (c Clock) Share(date time.Time) float64 {
	if !date.After(c[0].Date) {
		return 0
	}
	for i := 1; i < len(c); i++ {
		if !date.After(c[i].Date) {
			part := float64(date.Sub(c[i-1].Date)) / float64(c[i].Date.Sub(c[i-1].Date))
			return c[i-1].Share + part*(c[i].Share-c[i-1].Share)
		}
	}
	return 1
}
