package relay

import (
	"hash/maphash"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// tell gives evidence to the pool. What our own host has failed at, or has given
// up, is none.
func (s *Server) tell(ep *pool.Endpoint, ev policy.Evidence) {
	if ev.Outcome == policy.None || ev.Outcome == policy.Local {
		return
	}
	if f := s.config.Evidence; f != nil {
		f(ep, ev)
	}
	ep.Report(ev)
}

// where stands for a destination in evidence. It is never 0.
func (s *Server) where(destination string) uint64 {
	return max(maphash.String(s.secret, destination), 1)
}
