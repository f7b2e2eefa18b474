package remote_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/blocker"
	"github.com/paperplane-relay/paperplane/testenv/remote"
)

// rig is a world in memory, served to a client over pipes.
type rig struct {
	*remote.Client

	world  *testenv.World
	server *remote.Server
	pipes  *pipes
}

var amazon = netip.MustParsePrefix("52.58.0.0/15")

func newRig(t testing.TB) *rig {
	t.Helper()
	w := testenv.New(testenv.Config{Seed: 1, Backend: testenv.Memory})
	w.Cloud("amazon", testenv.CloudConfig{Prefixes: []netip.Prefix{amazon}})
	w.ISP("mts", testenv.ISPConfig{Users: 7, Apply: blocker.Reset()})
	w.ISP("megafon", testenv.ISPConfig{})
	w.Destination("site.lab", testenv.DestinationConfig{})
	r := &rig{world: w, server: &remote.Server{World: w}, pipes: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}}
	r.Client = remote.DialClient(r.pipes.dial)
	var serving sync.WaitGroup
	serving.Go(func() {
		// A test may be over before this begins.
		if err := r.server.Serve(r.pipes); err != nil && !errors.Is(err, testenv.ErrClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if err := errors.Join(r.server.Close(), w.Close()); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return r
}

// mts is the first of the world's ISPs.
func (r *rig) mts() *testenv.ISP { return r.world.ISPs()[0] }

// pipes is a listener whose connections are in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }
