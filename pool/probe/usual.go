package probe

import (
	"context"
	"time"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

const (
	// usualMost is how much of another endpoint's download is enough to compare
	// with.
	usualMost = 24 << 10
	// usualAfter, or six round trips if they are more, is after how long transfers
	// that still run are compared with another's: if they are well they are over
	// by then.
	usualAfter = 750 * time.Millisecond
)

// compare makes the same download through a viewer, if the transfers through the
// endpoint take long, and the question arises how long they would take through
// others now. The function that it returns ends the wait for that, and gives the
// viewer's rate in bytes a second, or zero.
func (c *carriage) compare(ctx context.Context, look policy.Look) (end func() float64) {
	if !look.Doubtful || len(look.Views) == 0 {
		return func() float64 { return 0 }
	}
	viewer := look.Views[0].Viewer
	waiting, over := context.WithCancel(ctx)
	rate := make(chan float64, 1)
	go func() {
		timer := time.NewTimer(max(usualAfter, 6*c.route.rtt))
		defer timer.Stop()
		select {
		case <-waiting.Done():
			rate <- 0
			return
		case <-timer.C:
		}
		rate <- c.p.usual(waiting, viewer, min(c.size, usualMost))
	}()
	return func() float64 {
		over()
		return <-rate
	}
}

// usual is the rate of a download through an endpoint that is well.
func (p *Prober) usual(ctx context.Context, viewer policy.Spec, size int64) float64 {
	t := p.knock(ctx, viewer, p.tries(policy.Look{}), 0)
	defer t.end()
	session := t.first()
	if session == nil {
		return 0
	}
	c := &carriage{p: p, spec: viewer, tries: t, size: size, route: route{rtt: t.rtt()}}
	return c.down(ctx, session, size, nil, 0).Rate
}
