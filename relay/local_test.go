package relay_test

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paperplane-relay/paperplane/pool"
	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay"
)

// A host without a network, descriptors or ports blames no endpoint: its
// requests wait, and go on when that has passed.
func TestErrorsOfOurOwnHostAreNoEvidence(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENETUNREACH, syscall.EMFILE, syscall.EADDRNOTAVAIL} {
		t.Run(errno.Error(), func(t *testing.T) {
			var broken atomic.Bool
			inRig(t, rigConfig{interfere: func() error {
				if broken.Load() {
					return &net.OpError{Op: "dial", Net: "tcp", Err: errno}
				}
				return nil
			}}, func(r *rig) {
				r.serve(80, tellVia)
				broken.Store(true)
				start := time.Now()
				time.AfterFunc(5*time.Second, func() { broken.Store(false) })
				c, err := r.open("a", "site.lab:80")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if took := time.Since(start); took > 6*time.Second {
					t.Errorf("the request went on after %v, want within 1 s of the return", took-5*time.Second)
				}
				for n := range r.hosts {
					if s := r.state(n); s != policy.Active {
						t.Errorf("endpoint %d is %v", n, s)
					}
				}
			})
		})
	}
}

// With nothing in the pool a request waits for an endpoint to be added.
func TestRequestsWaitForAnEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := pool.New(pool.Config{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = p.Run(ctx)
		}()
		near, far := net.Pipe()
		defer near.Close()
		s, err := relay.New(relay.Config{Pool: p, Upstream: &upstream.Dialer{
			Dial: func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				go grantAll(there)
				return here, nil
			},
		}})
		if err != nil {
			t.Fatal(err)
		}
		l := &single{conn: far, closed: make(chan struct{})}
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = s.Serve(l)
		}()
		start := time.Now()
		time.AfterFunc(3*time.Second, func() {
			if err := p.Add(policy.Spec{Host: "52.58.4.7", Port: 1080}); err != nil {
				t.Error(err)
			}
		})
		code, err := rigReply(near, 80)
		if err != nil || code != 0 {
			t.Errorf("reply %d, %v", code, err)
		}
		if took := time.Since(start); took < 3*time.Second || took > 3500*time.Millisecond {
			t.Errorf("granted after %v, want just after 3 s", took)
		}
		near.Close()
		s.Close()
		<-served
		cancel()
		<-ended
	})
}

// grantAll is an endpoint that grants everything and says nothing.
func grantAll(c net.Conn) {
	defer c.Close()
	b := make([]byte, 512)
	if _, err := c.Read(b); err != nil {
		return
	}
	_, _ = c.Write([]byte{5, 0})
	if _, err := c.Read(b); err != nil {
		return
	}
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// single is a listener that accepts one connection.
type single struct {
	conn   net.Conn
	taken  bool
	closed chan struct{}
}

func (l *single) Accept() (net.Conn, error) {
	if !l.taken {
		l.taken = true
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *single) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *single) Addr() net.Addr { return &net.UnixAddr{Name: "single", Net: "unix"} }
