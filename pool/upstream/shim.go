package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
)

// The bytes of RFC 1928 and RFC 1929 that the shims look at.
const (
	version        = 5
	methodNone     = 0
	methodPassword = 2
	methodNothing  = 0xff
)

// errGreeted stops x/net's client where it would send CONNECT.
var errGreeted = errors.New("greeted")

// greeting lies under x/net's client during negotiation. It keeps the first
// bytes of what comes in, and lets no request out.
type greeting struct {
	net.Conn
	may    func() error // asked before the credentials are sent; nil lets them
	barred error        // what it has said
	writes int
	seen   [4]byte // method selection, then the authentication's result
	n      int
}

// Write passes the method offer (the first write) and the credentials (which
// begin with their own version, 1). A second write that begins with SOCKS's
// version is the request.
func (g *greeting) Write(b []byte) (int, error) {
	if g.writes > 0 && len(b) > 0 && b[0] == version {
		if g.n >= 2 && g.seen[1] == methodPassword && g.n < 4 {
			// Without credentials x/net's client goes on as if none were asked for.
			return 0, fmt.Errorf("%w: the endpoint wants a user and password", ErrDenied)
		}
		if g.seen[1] != methodNone && g.seen[1] != methodPassword {
			return 0, fmt.Errorf("%w: it chose method %d, which was not offered", ErrProtocol, g.seen[1])
		}
		return 0, errGreeted
	}
	if g.writes > 0 && g.may != nil {
		if g.barred = g.may(); g.barred != nil {
			return 0, g.barred
		}
	}
	g.writes++
	return g.Conn.Write(b)
}

func (g *greeting) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	g.n += copy(g.seen[min(g.n, len(g.seen)):], b[:n])
	return n, err
}

// explain turns what x/net's client says in words into typed errors, by the
// bytes that it has seen.
func (g *greeting) explain(err error) error {
	switch {
	case g.barred != nil:
		return g.barred
	case transport(err) || errors.Is(err, ErrDenied) || errors.Is(err, ErrProtocol):
		return unwrapSocks(err)
	case g.n >= 2 && g.seen[0] == version && g.seen[1] == methodNothing:
		return fmt.Errorf("%w: no method acceptable to the endpoint", ErrDenied)
	case g.n == 4 && g.seen[1] == methodPassword && g.seen[2] == 1 && g.seen[3] != 0:
		return fmt.Errorf("%w: wrong user or password", ErrDenied)
	}
	return fmt.Errorf("%w: %w", ErrProtocol, unwrapSocks(err))
}

// request lies under x/net's client when negotiation is long done. It answers
// the client's method offer by itself, then keeps the head of the reply.
type request struct {
	net.Conn
	swallowed bool
	answered  int // of the two bytes of method selection
	seen      [4]byte
	n         int
}

func (r *request) Write(b []byte) (int, error) {
	if !r.swallowed {
		r.swallowed = true
		return len(b), nil
	}
	return r.Conn.Write(b)
}

func (r *request) Read(b []byte) (int, error) {
	if selection := [...]byte{version, methodNone}; r.answered < len(selection) {
		n := copy(b, selection[r.answered:])
		r.answered += n
		return n, nil
	}
	n, err := r.Conn.Read(b)
	r.n += copy(r.seen[min(r.n, len(r.seen)):], b[:n])
	return n, err
}

func (r *request) explain(err error) error {
	switch {
	case transport(err):
		return unwrapSocks(err)
	case r.n >= 2 && r.seen[0] == version && r.seen[1] != 0:
		return Reply(r.seen[1])
	}
	return fmt.Errorf("%w: %w", ErrProtocol, unwrapSocks(err))
}

// transport is true if the connection or the context failed, rather than what
// came over it.
func transport(err error) bool {
	err = unwrapSocks(err)
	var op net.Error
	return errors.As(err, &op) || isCanceled(err) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe)
}

// unwrapSocks takes off the net.OpError that x/net's client puts around its
// errors: it names the destination, and would make every one a net.Error.
func unwrapSocks(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "socks connect" {
		return op.Err
	}
	return err
}
