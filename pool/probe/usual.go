package probe

import (
	"context"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

const (
	// usualLeast is how much of another endpoint's download is enough to compare
	// with; more is better on long paths, where it is the start that takes its time.
	usualLeast = 24 << 10
	// usualAfter, or six round trips if they are more, is after how long transfers
	// that still run are compared with another's: if they are well they are over
	// by then.
	usualAfter = 750 * time.Millisecond
	// usualWait, or eight round trips if they are more, is for how long a comparison is
	// waited for once it is all that is missing.
	usualWait = 1500 * time.Millisecond
)

// compare makes the same download through a viewer, if the transfers through the
// endpoint take long, and the question arises how long they would take through
// others now. The function that it returns ends it, if it was not needed after all,
// or waits for a while longer if it was, and gives what came of it.
func (c *carriage) compare(ctx context.Context, look policy.Look) (end func(needed bool) usual) {
	if !look.Doubtful || len(look.Views) == 0 {
		return func(bool) usual { return usual{} }
	}
	viewer := look.Views[0].Viewer
	waiting, over := context.WithCancel(ctx)
	came := make(chan usual, 1)
	after := max(usualAfter, 6*c.route.rtt)
	go func() {
		timer := time.NewTimer(after)
		defer timer.Stop()
		select {
		case <-waiting.Done():
			came <- usual{}
			return
		case <-timer.C:
		}
		size := c.spare(after)
		if size == 0 {
			came <- usual{}
			return
		}
		came <- c.p.usual(waiting, viewer, size)
	}()
	return func(needed bool) usual {
		defer over()
		if needed {
			late := time.AfterFunc(max(usualWait, 8*c.route.rtt), over)
			defer late.Stop()
		} else {
			over()
		}
		return <-came
	}
}

// spare is how many bytes are left for the comparison, by what the transfers have
// moved after the given time: what they will have by the time at which they are
// called slow, and half as much again, is theirs.
func (c *carriage) spare(after time.Duration) int64 {
	if c.most > budget {
		return 0 // one flow by itself has taken it all
	}
	expected := 1.5 * float64(c.moved.Load()) * float64(max(slowAfter, 10*c.route.rtt)) / float64(after)
	return min(c.size, max(budget-int64(min(expected, float64(c.most))), usualLeast))
}

// usual is what came of a download through an endpoint that is well.
type usual struct {
	rate  float64 // in bytes a second
	rtt   time.Duration
	bytes int64
}

// usual makes one. If ctx ends first, it is that of as much as has come.
func (p *Prober) usual(ctx context.Context, viewer policy.Spec, size int64) (u usual) {
	t := p.knock(ctx, viewer, p.tries(policy.Look{}), 0)
	defer t.end()
	session := t.first()
	if session == nil {
		return usual{}
	}
	c := &carriage{p: p, spec: viewer, tries: t, size: size, least: size, route: route{rtt: t.rtt()}}
	d := c.down(ctx, session, size, nil, 0)
	return usual{d.Rate, c.route.rtt, d.Bytes}
}
