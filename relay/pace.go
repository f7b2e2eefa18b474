package relay

import (
	"net"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// pace sets how often the kernel asks the other side for a sign of life. Once in
// each silence it is fast, so that a dead path shows within seconds; when the
// path has proved to be alive, or the stream flows again, it is calm.
func (w *watch) pace(t *stream, ep *pool.Endpoint, g *gaze, flow policy.Flow, conn net.Conn, quiet time.Duration, flowing, fresh, asked bool, now time.Time) {
	limit := probeAfter
	if !flowing {
		limit = firstAfter
	}
	patience := settle
	if asked {
		patience = settleAsked
	}
	doubted := flow.Probes > 0 || ep.State() == policy.Suspect
	switch {
	case g.fast && fresh:
		g.calm(conn)
	case g.fast && quiet >= patience && !doubted:
		g.calm(conn)
		g.settled = true
	case !g.fast && (doubted || !g.settled && quiet >= limit):
		if upstream.KeepAlive(conn, fastPace, fastPace) == nil {
			g.fast, g.armed = true, now
		}
	}
}

func (g *gaze) calm(conn net.Conn) {
	g.fast = false
	_ = upstream.KeepAlive(conn, calmIdle, calmInterval)
}
