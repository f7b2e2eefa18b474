package pool_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// What is blocked at the same hours for four days of five is known by them: its
// row says so, and so does the event that tells of it on the next one.
func TestScheduleIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		midnight := time.Date(now.Year(), now.Month(), now.Day()+2, 0, 0, 0, 0, now.Location())
		time.Sleep(time.Until(midnight.Add(-12 * time.Hour)))
		f := new(fake)
		p := running(t, pool.Config{Prober: f}, 4)
		lost := spec(0).Name()
		f.look(lost, policy.Answered)
		w := p.Watch()
		defer w.Close()
		const want = "blocked 07:00-22:00 on 4 of the last 5 days"
		for day := range 5 {
			pass(time.Until(midnight.AddDate(0, 0, day).Add(7 * time.Hour)))
			kill(t, p, f, lost, policy.Silent, policy.None)
			told := false
			for ev, err := w.Next(closed(t)); err == nil; ev, err = w.Next(closed(t)) {
				told = told || ev.Kind == pool.Changed && ev.To == policy.Dead && strings.HasSuffix(ev.String(), "; "+want)
			}
			if told != (day == 4) {
				t.Errorf("day %d: told %t", day, told)
			}
			pass(15 * time.Hour)
			f.set(lost, policy.Answered, policy.Answered)
		}
		for _, r := range p.Endpoints() {
			if (r.Schedule != "") != (r.Name == lost) {
				t.Errorf("%s: %q", r.Name, r.Schedule)
			}
		}
	})
}
