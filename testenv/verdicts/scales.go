package verdicts

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/probe"
	"github.com/paperplane-relay/paperplane/testenv/memnet"
)

// scales weighs one examination: the bytes that it sends and receives.
type scales struct{ bytes atomic.Int64 }

type scalesKey struct{}

// examine has the prober look, and notes how many bytes that took.
func (v *vantage) examine(ctx context.Context, p *probe.Prober, spec policy.Spec, look policy.Look) policy.Examination {
	w := new(scales)
	x := p.Probe(context.WithValue(ctx, scalesKey{}, w), spec, look)
	v.mu.Lock()
	v.probes = append(v.probes, w.bytes.Load())
	v.mu.Unlock()
	return x
}

// weigh counts what passes over a connection that an examination has made.
func weigh(ctx context.Context, c net.Conn) net.Conn {
	w, weighed := ctx.Value(scalesKey{}).(*scales)
	m, inMemory := c.(*memnet.Conn)
	if !weighed || !inMemory {
		return c
	}
	return &weighedConn{m, w}
}

// weighedConn is a connection as it was, but for the counting.
type weighedConn struct {
	*memnet.Conn
	scales *scales
}

func (c *weighedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.scales.bytes.Add(int64(n))
	return n, err
}

func (c *weighedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.scales.bytes.Add(int64(n))
	return n, err
}
