package lab

import (
	"fmt"
	"time"
)

// Clock maps a run onto the dates that it plays. It is linear between its
// frames, so that days in which much happened can take longer than others.
type Clock []Frame

// Frame pins a date to a share of the run, 0 to 1.
type Frame struct {
	Share float64
	Date  time.Time
}

// Validate reports why the clock cannot run: it must have at least two frames,
// from share 0 to share 1, with shares and dates that grow.
func (c Clock) Validate() error {
	if len(c) < 2 || c[0].Share != 0 || c[len(c)-1].Share != 1 {
		return fmt.Errorf("clock: want frames from share 0 to share 1, got %d frames", len(c))
	}
	for i := 1; i < len(c); i++ {
		if c[i].Share <= c[i-1].Share || !c[i].Date.After(c[i-1].Date) {
			return fmt.Errorf("clock: frame %d does not come after the one before it", i)
		}
	}
	return nil
}

// Date is what the clock shows at a share of the run. Beyond the ends it stands
// still.
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

// Share is when in the run the clock shows a date, 0 to 1.
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
