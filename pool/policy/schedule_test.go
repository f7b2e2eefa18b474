package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// A prefix is frozen, or blocked, by day for a week, but for one day. Once three
// more days have kept to that than have not, it is known, and told with each
// verdict; of the others nothing is.
func TestScheduleOverAWeek(t *testing.T) {
	for _, tt := range []struct {
		name string
		lost func(d *driver, endpoints ...int)
		want string
	}{
		{"frozen", func(d *driver, endpoints ...int) { d.set(frozen, endpoints...) }, "frozen 07:00-23:00 on "},
		{"blocked", (*driver).block, "blocked 07:00-23:00 on "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(t, 4, policy.Limits{}, 1)
			midnight := time.Date(2018, 4, 17, 0, 0, 0, 0, time.UTC)
			d.traffic(time.Minute)
			for day := range 7 {
				d.run(midnight.AddDate(0, 0, day).Add(7 * time.Hour).Sub(d.now))
				if day != 3 {
					tt.lost(d, 0)
				}
				d.run(time.Hour)
				_, known := d.group.Schedule(0, d.now)
				why := d.group.Record(0).Why
				if day != 3 && d.group.Record(0).State != policy.Dead {
					t.Fatalf("day %d: %s", day, d.group.Record(0).State)
				}
				if told := strings.Contains(why, tt.want); known != told && day != 3 || day < 3 && known {
					t.Errorf("day %d: known %t, and told: %s", day, known, why)
				}
				d.run(15 * time.Hour)
				d.set(alive, 0)
				delete(d.outside, 0)
				d.run(30 * time.Minute)
				if s := d.group.Record(0).State; s != policy.Active {
					t.Fatalf("day %d: at night it is %s", day, s)
				}
			}
			if got, ok := d.group.Schedule(0, d.now); !ok || got != tt.want+"6 of the last 7 days" {
				t.Errorf("got %q, %t", got, ok)
			}
			if s, ok := d.group.Schedule(1, d.now); ok {
				t.Errorf("another endpoint: %s", s)
			}
		})
	}
}
