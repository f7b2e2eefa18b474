package main

import (
	"fmt"
	"strings"
	"time"
)

// rate is bytes a second for people; empty if there is none.
func rate(r float64) string {
	switch {
	case r <= 0:
		return ""
	case r < 999.5:
		return fmt.Sprintf("%.0f B/s", r)
	case r < 999.5e3:
		return decimal(r/1e3) + " kB/s"
	case r < 999.5e6:
		return decimal(r/1e6) + " MB/s"
	}
	return decimal(r/1e9) + " GB/s"
}

// decimal shows one decimal where it still says something.
func decimal(v float64) string {
	if v < 9.95 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// roundTrip is a round-trip time for people; empty if there is none.
func roundTrip(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d <= 0:
		return ""
	case ms < 0.05:
		return "<0.1 ms"
	case ms < 999.5:
		return decimal(ms) + " ms"
	}
	return decimal(d.Seconds()) + " s"
}

// count is a number with its noun: 1 endpoint, 2 addresses.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "s") || strings.HasSuffix(noun, "x") {
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
