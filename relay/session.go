package relay

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"strings"
	"time"

	"github.com/armon/go-socks5"

	"github.com/paperplane-relay/paperplane/pool/upstream"
)

// errOwnLimit ends a session that is above Config.MaxClients.
var errOwnLimit = errors.New("too many clients")

// session is one client connection up to the end of its SOCKS5 handshake. It
// lives on one goroutine, and leaves behind a stream or nothing.
type session struct {
	server *Server
	client net.Conn
	reader *bufio.Reader
	name   string // who the client is
	full   bool   // the server has too many clients
	reply  upstream.Reply
	stream *stream
}

func newSession(s *Server, c net.Conn, full bool) *session {
	return &session{
		server: s,
		client: c,
		reader: bufio.NewReaderSize(c, 512),
		name:   sourceOf(c.RemoteAddr()),
		full:   full,
	}
}

// serve runs the handshake through a go-socks5 server of the session's own, so
// that its hooks know which client they serve.
func (s *session) serve() {
	if err := s.negotiate(); err != nil {
		s.server.config.Logger.Debug("session ended", "client", s.name, "err", err)
	}
	if s.stream != nil {
		s.stream.carry()
		return
	}
	_ = s.client.Close()
	s.server.release(s.client)
}

func (s *session) negotiate() error {
	_ = s.client.SetDeadline(time.Now().Add(s.server.config.HandshakeTimeout))
	greeting, err := s.greet()
	if err != nil {
		return err
	}
	f := &front{session: s, pending: greeting, method: greeting[2]}
	c := &socks5.Config{
		AuthMethods: []socks5.Authenticator{socks5.NoAuthAuthenticator{}},
		Resolver:    endpointResolves{},
		Rules:       f,
		Logger:      discard,
		Dial:        s.dial,
	}
	if f.method == methodLogin {
		c.AuthMethods[0] = socks5.UserPassAuthenticator{Credentials: s}
	}
	server, err := socks5.New(c)
	if err != nil {
		return err
	}
	if err := server.ServeConn(f); err != nil {
		if s.stream != nil {
			s.stream.fail()
		}
		return err
	}
	return nil
}

// discard swallows go-socks5's own log, which names destinations.
var discard = log.New(io.Discard, "", 0)

// endpointResolves leaves names as they are: the endpoint resolves them.
type endpointResolves struct{}

func (endpointResolves) Resolve(ctx context.Context, _ string) (context.Context, net.IP, error) {
	return ctx, nil, nil
}

// dial is go-socks5's Dial hook. What it returns only tells go-socks5 to say
// success and to leave; the stream does the rest.
func (s *session) dial(_ context.Context, _, destination string) (net.Conn, error) {
	_ = s.client.SetDeadline(time.Time{})
	s.server.stats.requests.Add(1)
	s.server.budget.earn()
	if s.full {
		s.reply = upstream.GeneralFailure
		s.server.stats.failed.Add(1)
		return nil, errOwnLimit
	}
	early, _ := s.reader.Peek(s.reader.Buffered())
	t := newStream(s.server, s.client, s.name, destination, early)
	s.reader = nil
	err := t.dial()
	// Neither answer may hang on a client that does not read.
	_ = s.client.SetWriteDeadline(time.Now().Add(s.server.config.HandshakeTimeout))
	if err != nil {
		s.reply = replyOf(err)
		s.count(err)
		return nil, err
	}
	s.server.stats.granted.Add(1)
	s.stream = t
	return granted{}, nil
}

// count puts a failed request into one of three drawers.
func (s *session) count(err error) {
	var reply upstream.Reply
	switch {
	case errors.Is(err, errClientLeft):
		s.server.stats.left.Add(1)
	case errors.As(err, &reply):
		s.server.stats.refused.Add(1)
	default:
		s.server.stats.failed.Add(1)
	}
}

// frame reads one message of the client's handshake, and not a byte more is
// taken from the reader.
func (s *session) frame(lacks func([]byte) int) ([]byte, error) {
	b := make([]byte, 0, 32)
	for n := lacks(b); n > 0; n = lacks(b) {
		had := len(b)
		b = append(b, make([]byte, n)...)
		if _, err := io.ReadFull(s.reader, b[had:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// isName reports whether a destination's name can be asked for. Spaces, control
// characters and brackets are part of no name, and would only confuse whoever
// parses host:port after us.
func isName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == '[' || r == ']'
	})
}
