package relay

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/pool/upstream"
	"github.com/paperplane-relay/paperplane/relay/internal/pump"
)

var (
	// ErrServerClosed is what Serve returns after Shutdown or Close.
	ErrServerClosed = errors.New("relay: server closed")
	// ErrOpen is what Serve returns for a listener that others than this host
	// can reach, if Config.Users is empty: that would be an open proxy.
	ErrOpen = errors.New("relay: a listener that is not on loopback needs users")
)

const (
	// politeRefusals is how many clients above the limit are answered at a time;
	// further ones are just closed.
	politeRefusals = 256
	// The pause after a failed accept doubles from the first to the second.
	acceptPauseMin, acceptPauseMax = 5 * time.Millisecond, time.Second
)

// Server is the relay. Make one with New. Its methods are safe for concurrent
// use.
type Server struct {
	config Config
	stats  stats
	budget *budget
	losers losers
	room   *room
	lot    pump.Lot // where streams at rest wait
	warm   *warm
	knocks knocks
	watch  watch
	secret maphash.Seed // of the names in evidence

	ctx    context.Context // ends all work of the server
	cancel context.CancelFunc

	clients sync.WaitGroup // sessions and streams
	work    sync.WaitGroup // everything that works for them

	mu        sync.Mutex
	closed    bool
	following bool
	listeners map[net.Listener]struct{}
	sessions  map[net.Conn]struct{}
}

// New makes a Server that does nothing until Serve is called. Its error is that
// of Config.Validate.
func New(c Config) (*Server, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		config:    c.withDefaults(),
		budget:    newBudget(),
		secret:    maphash.MakeSeed(),
		listeners: make(map[net.Listener]struct{}),
		sessions:  make(map[net.Conn]struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.room = newRoom(s, c.Seed)
	s.warm = newWarm(s, s.config.Warm, c.Seed)
	s.watch.server = s
	s.lot.Go = s.work.Go
	s.knocks.server = s
	return s, nil
}

// Serve accepts clients from l until Shutdown or Close is called, and then
// returns ErrServerClosed; it closes l in any case. Temporary failures of
// Accept are survived with a growing pause. It may be called for several
// listeners. It refuses a listener that is not on loopback with ErrOpen, unless
// there are users.
func (s *Server) Serve(l net.Listener) error {
	defer func() { _ = l.Close() }()
	if !isLocal(l.Addr()) && len(s.config.Users) == 0 {
		return fmt.Errorf("%w: %s", ErrOpen, l.Addr())
	}
	if !s.track(l) {
		return ErrServerClosed
	}
	defer s.untrack(l)
	var pause time.Duration
	for {
		c, err := l.Accept()
		if err == nil {
			pause = 0
			s.admit(c)
			continue
		}
		if s.isClosed() {
			return ErrServerClosed
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("relay: accept: %w", err)
		}
		pause = min(max(2*pause, acceptPauseMin), acceptPauseMax)
		s.config.Logger.Warn("accept failed", "err", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
		}
	}
}

// isLocal reports whether only this host can connect to a listener at a.
func isLocal(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	default:
		return false
	}
}

// admit gives a fresh connection a session of its own.
func (s *Server) admit(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	over := len(s.sessions) - s.config.MaxClients
	if s.closed || over >= politeRefusals {
		_ = upstream.Abort(c)
		return
	}
	s.sessions[c] = struct{}{}
	s.stats.clients.Add(1)
	s.clients.Go(func() {
		newSession(s, c, over >= 0).serve()
	})
}

// crowded reports whether the limit on clients is so near that what they need
// comes before what they might.
func (s *Server) crowded() bool {
	return s.stats.clients.Load() > int64(s.config.MaxClients)*7/8
}

// release ends what admit began. It is called once for each connection, by
// whoever used it last.
func (s *Server) release(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, c)
	s.stats.clients.Add(-1)
}

// Shutdown stops accepting and waits until all clients have left by themselves.
// If ctx ends before that, it cuts those that are left and returns ctx's error.
// When it returns, no goroutine of the Server is left, and Serve returns.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	s.warm.end()
	left := make(chan struct{})
	go func() {
		s.clients.Wait()
		close(left)
	}()
	var err error
	select {
	case <-left:
	case <-ctx.Done():
		err = ctx.Err()
		s.cut()
		<-left
	}
	s.cancel()
	s.lot.Close()
	s.work.Wait()
	return err
}

// Close is Shutdown without any patience: every stream is cut.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Shutdown(ctx)
	return nil
}

// stop closes the listeners.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for l := range s.listeners {
		_ = l.Close()
	}
}

// cut ends all dials and all sessions.
func (s *Server) cut() {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.sessions {
		_ = upstream.Abort(c)
	}
}

// track takes l into service, and with the first one starts to follow the
// pool's verdicts. It is false if the server is closed.
func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.listeners[l] = struct{}{}
	if !s.following {
		s.following = true
		s.work.Go(s.watch.follow)
	}
	return true
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
