package exit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

var (
	// ErrServerClosed is what Serve returns after Shutdown or Close.
	ErrServerClosed = errors.New("exit: server closed")
	// ErrOpen is what Serve returns for a listener that strangers can reach, if
	// nothing keeps them out.
	ErrOpen = errors.New("a listener that is not on loopback needs users or an allow-list of clients")
)

// The defaults of Server.
const (
	DefaultNegotiateTimeout  = 10 * time.Second
	DefaultRequestTimeout    = 5 * time.Minute
	DefaultDialTimeout       = 30 * time.Second
	DefaultHalfClosedTimeout = 10 * time.Minute
	DefaultMaxClients        = 8192
)

// Server is an endpoint. Its fields must not be changed once Serve has been
// called. All methods are safe for concurrent use.
type Server struct {
	// Dial reaches destinations; nil is a net.Dialer behind a [Guard] that makes
	// the exceptions of Allow. A Dial of your own has to guard itself. It must
	// honour ctx, and address may hold a name. Its errors become replies: an
	// upstream.Reply in the chain as it is, others by their errno.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Users are the passwords by user. If there are none, and no Verify, nobody
	// has to authenticate, and offers to do so are declined.
	Users map[string]string
	// Verify, if not nil, decides instead of Users. It must take the same time
	// whether or not they are right, and be safe for concurrent use.
	Verify func(user, password string) bool
	// Clients, if not empty, are the only addresses that are served.
	Clients []netip.Prefix
	// Open lets strangers in: it allows a listener that is not on loopback
	// without Users, Verify and Clients. It is for networks that strangers
	// cannot reach in the first place, such as one in memory.
	Open bool

	// MaxClients is how many connections are served at a time; more are closed
	// at once. Zero: 8192. Each takes two descriptors.
	MaxClients int

	// Allow are prefixes that may be dialled although the Guard refuses them.
	Allow []netip.Prefix

	// NegotiateTimeout is for greeting and authentication; zero: 10 s.
	NegotiateTimeout time.Duration
	// RequestTimeout is from then to the end of the request; zero: 5 min.
	RequestTimeout time.Duration
	// DialTimeout is for the destination; zero: 30 s.
	DialTimeout time.Duration
	// HalfClosedTimeout is how long a stream may be silent after one of its
	// sides has closed its half; zero: 10 min.
	HalfClosedTimeout time.Duration

	// Logger gets what happens; nil discards it. Destinations are logged at
	// debug level only, credentials never.
	Logger *slog.Logger

	mu        sync.Mutex
	closing   bool
	stop      chan struct{} // closed with closing; made by the first Serve
	listeners map[net.Listener]struct{}
	streams   map[*stream]struct{}
	guard     *Guard
	wg        sync.WaitGroup // streams' goroutines
}

// The pauses after an accept error, as net/http has them.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// Serve accepts connections from l and serves each in goroutines of the
// server, which Shutdown and Close wait for. It closes l and returns with
// ErrServerClosed after Shutdown or Close, or with an error if l was closed by
// others; failures of Accept are survived with a growing pause.
// It refuses to begin, with ErrOpen, if l is not on loopback and neither users
// nor clients are set. It may be called for several listeners.
func (s *Server) Serve(l net.Listener) error {
	defer func() { _ = l.Close() }()
	if err := s.validate(l); err != nil {
		return err
	}
	if !s.track(l) {
		return ErrServerClosed
	}
	defer s.untrack(l)
	pause := time.Duration(0)
	for {
		c, err := l.Accept()
		if err == nil {
			pause = 0
			s.admit(c)
			continue
		}
		if s.isClosing() {
			return ErrServerClosed
		}
		// Without descriptors or memory, accepting fails until some are free. Which
		// errors pass is not for us to say: only a closed listener never recovers.
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("exit: accept: %w", err)
		}
		pause = min(max(2*pause, minPause), maxPause)
		s.log().Warn("accept failed; will try again", "err", err, "pause", pause)
		if !s.sleep(pause) {
			return ErrServerClosed
		}
	}
}

// Shutdown ends the server in order: listeners are closed, then connections
// without a request; streams may run to their end. If ctx ends first they are
// cut as by Close, and ctx's error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.close()
	for _, t := range s.snapshot() {
		t.cutIdle()
	}
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		for _, t := range s.snapshot() {
			t.cut()
		}
		<-done
		return ctx.Err()
	}
}

// Close ends the server at once: both sides of every stream see RST. It returns
// when all of the server's goroutines have ended.
func (s *Server) Close() error {
	s.close()
	for _, t := range s.snapshot() {
		t.cut()
	}
	s.wg.Wait()
	return nil
}

func (s *Server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	s.closing = true
	if s.stop != nil {
		close(s.stop)
	}
	for l := range s.listeners {
		_ = l.Close()
	}
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// track makes l known to close, and the server ready.
func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	if s.listeners == nil {
		s.listeners = make(map[net.Listener]struct{})
		s.streams = make(map[*stream]struct{})
		s.stop = make(chan struct{})
		s.guard = &Guard{Allow: s.Allow}
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// admit starts a stream for c, unless it is to be refused.
func (s *Server) admit(c net.Conn) {
	if !s.admits(c.RemoteAddr()) {
		s.log().Debug("client is not on the list", "client", c.RemoteAddr())
		_ = c.Close()
		return
	}
	t := newStream(s, c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || len(s.streams) >= s.maxClients() {
		s.log().Debug("connection refused", "client", c.RemoteAddr(), "clients", len(s.streams))
		t.cancel()
		_ = c.Close()
		return
	}
	s.streams[t] = struct{}{}
	s.wg.Go(t.serve)
}

func (s *Server) forget(t *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, t)
}

func (s *Server) snapshot() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*stream, 0, len(s.streams))
	for t := range s.streams {
		all = append(all, t)
	}
	return all
}

// sleep is false if the server is closed meanwhile.
func (s *Server) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.stop:
		return false
	}
}

func (s *Server) log() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return discard
}

var discard = slog.New(slog.DiscardHandler)

func (s *Server) maxClients() int {
	if s.MaxClients > 0 {
		return s.MaxClients
	}
	return DefaultMaxClients
}

// timeout is d, or its default.
func timeout(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
