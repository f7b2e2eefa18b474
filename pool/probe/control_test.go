package probe_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
)

// Only a handshake that was completed counts.
func TestControl(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*lab)
		up   bool
	}{
		{"well", func(*lab) {}, true},
		{"dropped", func(l *lab) { l.block(blocker.Drop()) }, false},
		{"reset", func(l *lab) { l.block(blocker.Reset()) }, false},
		{"rejected", func(l *lab) { l.block(blocker.Reject()) }, false},
		{"our network is down", func(l *lab) { l.isp.Cut() }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				tc.do(l)
				ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
				defer cancel()
				c := probe.Control{Address: netip.AddrPortFrom(l.endpoint.Addr(), l.endpoint.Spec().Port), Upstream: l.prober.Upstream}
				began := time.Now()
				err := c.Reach(ctx)
				if took := time.Since(began); (err == nil) != tc.up || took > 900*time.Millisecond {
					t.Errorf("want it up: %t, got %v after %s", tc.up, err, took)
				}
			})
		})
	}
}
