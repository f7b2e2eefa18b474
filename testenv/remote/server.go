package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/paperplane-relay/paperplane/testenv"
	"github.com/paperplane-relay/paperplane/testenv/guest"
)

// grace is how long programs have to end by themselves when the server closes.
const grace = 3 * time.Second

// Server serves a world. Its fields must not be changed once it is in use.
type Server struct {
	// World is what is served. It stays the caller's to close, after the server.
	World *testenv.World
	// Down is called when a client asks for the world's end. It must return at
	// once: Close waits for the request. Nil refuses.
	Down func()
	// Logger is told what clients change, at info level. Nil discards it.
	Logger *slog.Logger

	http *http.Server
	// running are the programs, and those who stay on the line for one.
	running sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	programs map[*guest.Process]*testenv.Host // nil: at an ISP
	waiting  map[net.Conn]struct{}            // of whose programs the streams have not come
	names    map[*testenv.ISP]io.Closer
}

// Serve serves l until Close, and returns nil then. A listener of Listen tells
// who connects: strangers are refused. Whoever gives it another one decides who
// can reach that.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.Join(testenv.ErrClosed, l.Close())
	}
	if s.http == nil {
		s.http = &http.Server{
			Handler:           s.admit(s.Handler()),
			ReadHeaderTimeout: 10 * time.Second,
			MaxHeaderBytes:    16 << 10,
			ErrorLog:          slog.NewLogLogger(s.log().Handler(), slog.LevelDebug),
			ConnContext: func(ctx context.Context, c net.Conn) context.Context {
				return context.WithValue(ctx, strangerKey{}, stranger(c))
			},
		}
	}
	server := s.http
	s.mu.Unlock()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// strangerKey is where a request's context has the reason not to serve it.
type strangerKey struct{}

// admit refuses who is not the user that the world runs for.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err, _ := r.Context().Value(strangerKey{}).(error); err != nil {
			s.log().Warn("a stranger was refused", "err", err)
			w.Header().Set("Connection", "close")
			fail(w, &Error{http.StatusForbidden, err.Error()})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Close stops serving. Programs get a SIGTERM, and after three seconds a
// SIGKILL. It waits for all of that, and for what clients are being told.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	server := s.http
	names := s.names
	s.names = nil
	running := make([]*guest.Process, 0, len(s.programs))
	for p := range s.programs {
		running = append(running, p)
	}
	for c := range s.waiting {
		_ = c.SetDeadline(time.Unix(1, 0))
	}
	s.mu.Unlock()

	end(running)
	s.running.Wait()
	var errs []error
	if server != nil {
		patience, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		if server.Shutdown(patience) != nil {
			errs = append(errs, server.Close())
		}
	}
	for _, n := range names {
		errs = append(errs, n.Close())
	}
	return errors.Join(errs...)
}

// attending counts a connection on which a program is to run, until done. It
// reports whether the server is still open.
func (s *Server) attending(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.waiting == nil {
		s.waiting = make(map[net.Conn]struct{})
	}
	s.waiting[c] = struct{}{}
	s.running.Add(1)
	return true
}

// handedOver is when the streams have come, or nothing will.
func (s *Server) handedOver(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, c)
	if !s.closed {
		_ = c.SetDeadline(time.Time{})
	}
}

// Handler is the API without the question who asks, for other ways to serve it.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(http.ResponseWriter, *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := f(w, r)
			switch {
			case err != nil:
				fail(w, err)
			case answer == nil:
				w.WriteHeader(http.StatusNoContent)
			default:
				write(w, http.StatusOK, answer)
			}
		})
	}
	handle("GET /v1/world", s.world)
	handle("DELETE /v1/world", s.down)
	handle("GET /v1/ledger", s.ledger)
	handle("GET /v1/registry", s.listed)
	handle("POST /v1/registry", s.enter)
	handle("GET /v1/isps/{isp}/rules", s.rules)
	handle("POST /v1/isps/{isp}/rules", s.add)
	handle("PUT /v1/isps/{isp}/rules", s.replace)
	handle("DELETE /v1/isps/{isp}/rules/{id}", s.remove)
	handle("PUT /v1/isps/{isp}/cut", s.cut)
	handle("DELETE /v1/isps/{isp}/cut", s.cut)
	handle("POST /v1/hosts", s.launch)
	handle("DELETE /v1/hosts/{address}", s.release)
	mux.HandleFunc("POST /v1/programs", s.program)
	return inJSON(mux)
}

// inJSON has what the mux refuses by itself said in JSON as well.
func inJSON(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		b := &blank{header: w.Header()}
		mux.ServeHTTP(b, r)
		b.header.Del("Content-Type")
		switch b.status {
		case http.StatusMethodNotAllowed:
			fail(w, &Error{b.status, fmt.Sprintf("%s is not for %s, only %s", r.URL.Path, r.Method, b.header.Get("Allow"))})
		default:
			fail(w, &Error{http.StatusNotFound, fmt.Sprintf("there is no %s: the paths begin with /v1/world, /v1/ledger, /v1/registry, /v1/isps, /v1/hosts, /v1/programs", r.URL.Path)})
		}
	})
}

// blank keeps the status of an answer that is not given.
type blank struct {
	header http.Header
	status int
}

func (b *blank) Header() http.Header         { return b.header }
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }
func (b *blank) WriteHeader(status int)      { b.status = status }

func (s *Server) log() *slog.Logger {
	if s.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Logger
}
