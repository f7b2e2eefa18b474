package relay

import (
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// pace sets how often the kernel asks the other side for a sign of life. Once in
// each silence it is fast, so that a dead path shows within seconds; when the
// path has proved to be alive, or the stream flows again, it is calm.
func (g *gaze) pace(s *sight) {
	limit, patience := probeAfter, settle
	if !s.flowing {
		limit = firstAfter
	}
	if s.lastUp < s.flow.LastRecv {
		patience = settleAsked
	}
	doubted := s.flow.Probes > 0 || s.endpoint.State() == policy.Suspect
	switch {
	case g.fast && s.fresh:
		g.calm(s)
	case g.fast && s.quiet >= patience && !doubted:
		g.calm(s)
		g.settled = true
	case !g.fast && (doubted || !g.settled && s.quiet >= limit):
		if upstream.KeepAlive(s.conn, fastPace, fastPace) == nil {
			g.fast, g.armed = true, s.now
		}
	}
}

func (g *gaze) calm(s *sight) {
	g.fast = false
	_ = upstream.KeepAlive(s.conn, calmIdle, calmInterval)
}
