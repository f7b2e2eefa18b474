//go:build !linux

package upstream

import (
	"net"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Other systems either have no TCP_INFO or one without the counts of unanswered
// probes and retransmissions: nothing is better than half of it.
func readFlow(net.Conn) (policy.Flow, bool) { return policy.Flow{}, false }

func tune(net.Conn) {}
