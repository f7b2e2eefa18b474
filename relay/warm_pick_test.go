package relay

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
)

// quiet is a connection to an endpoint that has let us in and says no more. It
// costs nothing of its own.
type quiet struct {
	net.Conn
	r *strings.Reader
}

func (c *quiet) Read(b []byte) (int, error)      { return c.r.Read(b) }
func (c *quiet) Write(b []byte) (int, error)     { return len(b), nil }
func (c *quiet) SetDeadline(time.Time) error     { return nil }
func (c *quiet) SetReadDeadline(time.Time) error { return nil }
func (c *quiet) Close() error                    { return nil }

// BenchmarkWarmPick is what a request pays for being given a warm connection, of
// one endpoint among many: all it does before its CONNECT is on the wire.
func BenchmarkWarmPick(b *testing.B) {
	const endpoints = 64
	p, err := pool.New(pool.Config{Active: endpoints})
	if err != nil {
		b.Fatal(err)
	}
	var names []string
	for n := range endpoints {
		spec := policy.Spec{Host: "198.51.100.1", Port: uint16(1000 + n)}
		names = append(names, spec.Name())
		if err := p.Add(spec); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	changed, ended := p.Changed(), make(chan error)
	go func() { ended <- p.Run(ctx) }()
	<-changed
	s, err := New(Config{Pool: p})
	if err != nil {
		b.Fatal(err)
	}
	var all []*pool.Endpoint
	now := time.Now()
	for _, name := range names {
		ep := p.Endpoint(name)
		c := &quiet{r: strings.NewReader("\x05\x00")}
		session, err := s.config.Upstream.Negotiate(ctx, c, ep.Spec())
		if err != nil {
			b.Fatal(err)
		}
		// Two places, so that taking starts no keeper.
		h := s.warm.shelf(ep)
		for range s.warm.most {
			h.demand.add(now, s.warm.most)
		}
		h.places = s.warm.most
		if h.put(session) == nil {
			b.Fatal("not kept")
		}
		all = append(all, ep)
	}

	b.Run("hit", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			sp := s.warm.take(all[n%endpoints])
			if sp == nil || sp.session.Rouse() != nil {
				b.Fatal("no warm connection")
			}
			// Back where it was.
			sp.shelf.mu.Lock()
			sp.shelf.kept = append(sp.shelf.kept, sp)
			sp.shelf.mu.Unlock()
		}
	})
	b.Run("miss", func(b *testing.B) {
		for _, ep := range all {
			s.warm.take(ep)
		}
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if s.warm.take(all[n%endpoints]) != nil {
				b.Fatal("a warm connection")
			}
		}
	})
	b.Run("hit in parallel", func(b *testing.B) {
		for _, ep := range all {
			h := s.warm.shelf(ep)
			h.kept = h.kept[:0]
			for range 4 {
				session, err := s.config.Upstream.Negotiate(ctx, &quiet{r: strings.NewReader("\x05\x00")}, ep.Spec())
				if err != nil {
					b.Fatal(err)
				}
				h.kept = append(h.kept, &spare{shelf: h, session: session})
			}
		}
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for n := 0; pb.Next(); n++ {
				sp := s.warm.take(all[n%endpoints])
				if sp == nil || sp.session.Rouse() != nil {
					b.Error("no warm connection")
					return
				}
				sp.shelf.mu.Lock()
				sp.shelf.kept = append(sp.shelf.kept, sp)
				sp.shelf.mu.Unlock()
			}
		})
	})
	cancel()
	<-ended
	_ = s.Close()
}
