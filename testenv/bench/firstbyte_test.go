package bench_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/paperplane-relay/paperplane/testenv/bench"
)

// TestFirstByte counts round trips in virtual time, where they are whole.
func TestFirstByte(t *testing.T) {
	for _, c := range []struct {
		name string
		kind bench.FirstByte
		want float64
	}{
		// TCP, greeting, CONNECT, the byte; and the password between.
		{"cold", bench.FirstByte{}, 4},
		{"cold, with a password", bench.FirstByte{Password: true}, 5},
		{"warm", bench.FirstByte{Warmed: true}, 2},
		{"warm, with a password", bench.FirstByte{Warmed: true, Password: true}, 2},
	} {
		for _, trip := range bench.RoundTrips {
			t.Run(fmt.Sprint(c.name, " at ", trip), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c.kind.RoundTrip = trip
					got, err := c.kind.Measure(t.Context())
					// An in-memory delay may be a timer's nanosecond late.
					if err != nil || got < c.want || got > c.want+0.001 {
						t.Errorf("%v round trips, %v, want %v", got, err, c.want)
					}
				})
			})
		}
	}
}

// BenchmarkFirstByte is the same in real time.
func BenchmarkFirstByte(b *testing.B) {
	for _, password := range []bool{false, true} {
		for _, trip := range bench.RoundTrips {
			b.Run(fmt.Sprintf("password=%v/rtt=%v", password, trip), func(b *testing.B) {
				sum := 0.0
				for b.Loop() {
					trips, err := bench.FirstByte{RoundTrip: trip, Password: password}.Measure(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					sum += trips
				}
				b.ReportMetric(sum/float64(b.N), "round_trips")
			})
		}
	}
}
