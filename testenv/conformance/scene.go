package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
)

// scene is a world with a client at an ISP, and a server in a cloud.
type scene struct {
	world *testenv.World
	isp   *testenv.ISP
	host  *testenv.Host
	at    string // where the server is
	bell  chan struct{}

	listener net.Listener
	accepted chan net.Conn
	dialled  chan net.Conn
	cancel   context.CancelFunc // ends the dial
	tasks    sync.WaitGroup

	mu      sync.Mutex
	refusal error // what the dial has failed with
	failed  time.Time

	client, server *side
	answered       bool
}

// port is the server's.
const port = 1080

// newScene makes a world on a backend, in which the server listens, and accepts
// unless it is unserved.
func newScene(on testenv.Backend, unserved bool) (*scene, error) {
	w, err := testenv.Open(testenv.Config{Seed: 1, Backend: on})
	if err != nil {
		return nil, err
	}
	s := &scene{
		world: w, bell: make(chan struct{}, 1), cancel: func() {},
		accepted: make(chan net.Conn, 1), dialled: make(chan net.Conn, 1),
	}
	cloud := w.Cloud("cloud", testenv.CloudConfig{Prefixes: []netip.Prefix{netip.MustParsePrefix("52.58.0.0/24")}})
	s.isp = w.ISP("isp", testenv.ISPConfig{})
	if s.host, err = cloud.Host(netip.Addr{}); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	s.at = netip.AddrPortFrom(s.host.Addr(), port).String()
	if s.listener, err = s.host.Listen(port); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if !unserved {
		s.tasks.Go(s.accept)
	}
	return s, nil
}

// accept takes the first connection.
func (s *scene) accept() {
	if c, err := s.listener.Accept(); err == nil {
		s.accepted <- c
		s.ring()
	}
}

// dial connects the client, in the background.
func (s *scene) dial() {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	s.cancel = cancel
	s.tasks.Go(func() {
		c, err := s.isp.DialContext(ctx, "tcp", s.at)
		if err != nil {
			s.mu.Lock()
			s.refusal, s.failed = err, time.Now()
			s.mu.Unlock()
		} else {
			s.dialled <- c
		}
		s.ring()
	})
}

// dialSeen is what the client has seen that has no connection.
func (s *scene) dialSeen(began time.Time) (seen Seen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal != nil {
		seen.End, seen.After = endOf(s.refusal), max(s.failed.Sub(began), 0)
	}
	return seen
}

// open makes a connection, whose server is not attended to if it is unserved.
func (s *scene) open(unserved bool) error {
	client, server, err := s.connect(unserved)
	if client != nil {
		s.client = attend(client, whole, s.bell)
	}
	if server != nil {
		s.server = attend(server, 0, s.bell)
	}
	return err
}

// connect makes a connection, and has it accepted if it is served.
func (s *scene) connect(unserved bool) (client, server net.Conn, err error) {
	s.dial()
	patience := time.NewTimer(Patience)
	defer patience.Stop()
	for client == nil || server == nil && !unserved {
		select {
		case client = <-s.dialled:
		case server = <-s.accepted:
		case <-patience.C:
			return client, server, fmt.Errorf("no connection before the trouble: %w", s.refusal)
		}
	}
	return client, server, nil
}

func (s *scene) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// await waits until something is so, and reports whether it came to that within
// the time.
func (s *scene) await(d time.Duration, so func() bool) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for !so() {
		select {
		case <-s.bell:
		case <-timer.C:
			return so()
		}
	}
	return true
}

// close ends the world and all that was in it.
func (s *scene) close() error {
	s.cancel()
	s.listener.Close()
	s.client.close()
	s.server.close()
	err := s.world.Close()
	s.tasks.Wait()
	for _, left := range []chan net.Conn{s.accepted, s.dialled} {
		select {
		case c := <-left:
			abort(c)
		default:
		}
	}
	if err != nil {
		return fmt.Errorf("closing the world: %w", err)
	}
	return nil
}
