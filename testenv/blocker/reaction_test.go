package blocker_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

func TestReaction(t *testing.T) {
	const day = 24 * time.Hour
	draws := rand.New(rand.NewPCG(1, 2))
	var s blocker.Strategy = blocker.Reaction{
		Wanted: blocker.Socks, Delays: []time.Duration{2 * day, 7 * day}, Gather: day, Spread: 20 * time.Minute,
	}
	var orders []blocker.Change
	step := func(at time.Time, seen []blocker.Observation) []blocker.Change {
		for i := range seen {
			seen[i].At = at
		}
		asked := s
		s, orders = s.Step(seen, at, draws)
		if _, again := asked.Step(seen, at, draws); len(again) != len(orders) {
			t.Errorf("asked twice, it gives %d orders, then %d", len(orders), len(again))
		}
		return orders
	}
	batch := step(epoch, append(sees(blocker.Socks, "52.58.4.7", "52.58.4.9", "52.58.4.7"), sees(blocker.TLS, "52.58.4.8")...))
	if len(batch) != 2 {
		t.Fatalf("%d orders, want one for each address that looked wrong", len(batch))
	}
	delay := batch[0].At.Sub(epoch)
	if delay >= 2*day+20*time.Minute && delay < 7*day || delay < 2*day || delay >= 7*day+20*time.Minute {
		t.Errorf("listed after %v", delay)
	}
	if d := batch[1].At.Sub(batch[0].At); d < 0 || d >= 20*time.Minute {
		t.Errorf("the second of a batch comes %v after the first", d)
	}
	if late := step(epoch.Add(20*time.Hour), sees(blocker.Socks, "52.58.4.7", "52.58.4.10")); len(late) != 1 ||
		late[0].At.Sub(batch[0].At).Abs() >= 20*time.Minute {
		t.Errorf("of the same batch, some hours later: %v", late)
	}
	if next := step(epoch.Add(30*day), sees(blocker.Socks, "52.58.4.11")); len(next) != 1 || next[0].At.Sub(epoch) < 32*day {
		t.Errorf("another batch: %v", next)
	}
}

func TestReactionRelents(t *testing.T) {
	draws := rand.New(rand.NewPCG(1, 2))
	var s blocker.Strategy = blocker.Reaction{Wanted: blocker.Socks, For: time.Hour}
	var orders []blocker.Change
	for h, want := range []int{2, 0, 2} {
		seen := sees(blocker.Socks, "52.58.4.7")
		seen[0].At = epoch.Add(time.Duration(h) * 45 * time.Minute)
		if s, orders = s.Step(seen, seen[0].At, draws); len(orders) != want {
			t.Fatalf("step %d: %d orders, want %d", h, len(orders), want)
		}
		if want > 0 && (orders[0].Lift || !orders[1].Lift || orders[1].At.Sub(orders[0].At) != time.Hour) {
			t.Errorf("step %d: %v", h, orders)
		}
	}
}
