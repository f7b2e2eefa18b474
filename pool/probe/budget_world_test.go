package probe_test

import (
	"fmt"
	"testing"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Whatever is asked for, an examination has a budget, with its comparison; but for one
// flow by itself, if clients' flows stop beyond that.
func TestBudget(t *testing.T) {
	for _, size := range []int64{0, 96 << 10, 120 << 10, 200 << 10, 320 << 10, 1 << 20} {
		for _, way := range []string{"both ways", "down", "up"} {
			for _, rate := range []float64{0, 16e3, 64e3} {
				t.Run(fmt.Sprintf("%d KiB, %s, %.0f B/s", size>>10, way, rate), func(t *testing.T) {
					inLab(t, func(t *testing.T, l *lab) {
						viewer := l.launch(t)
						look := doubtful
						look.Size, look.OneWay, look.Upward = size, way == "down", way == "up"
						look.Views = []policy.Viewpoint{{Viewer: viewer.Spec()}}
						l.prober.Probe(t.Context(), l.endpoint.Spec(), policy.Look{Depth: policy.Carry}) // what it serves
						if rate > 0 {
							l.block(blocker.Police(rate))
						}
						before := l.spent(l.endpoint) + l.spent(viewer)
						x := l.prober.Probe(t.Context(), l.endpoint.Spec(), look)
						most := int64(256 << 10)
						if way != "both ways" && size > 240<<10 {
							most = 400 << 10
						}
						if n := l.spent(l.endpoint) + l.spent(viewer) - before; n > most {
							t.Errorf("%d bytes", n)
						}
						if rate == 0 && (x.Down.Outcome != policy.Answered) == (way != "up") || rate == 0 && (x.Up.Outcome != policy.Answered) == (way != "down") {
							t.Errorf("down %v, up %v", x.Down.Outcome, x.Up.Outcome)
						}
						flows := map[string]int{"both ways": 2, "down": 4, "up": 4}[way]
						if size == 0 && max(x.Down.Flows, x.Up.Flows) != flows {
							t.Errorf("%d and %d flows, want %d", x.Down.Flows, x.Up.Flows, flows)
						}
					})
				})
			}
		}
	}
}
