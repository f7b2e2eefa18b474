package upstream

import (
	"errors"
	"net"
	"os"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Errors that an endpoint, or whoever answers in its place, gives reason for.
// They are found with errors.Is in what this package returns.
var (
	// ErrProtocol means that the answer was not SOCKS5.
	ErrProtocol = errors.New("the answer is not SOCKS5")
	// ErrDenied means that the credentials, or going without, were refused.
	ErrDenied = errors.New("authentication refused")
	// ErrDestination means that a destination cannot be asked for: no
	// host:port, or a name of more than 255 bytes. Nothing was sent.
	ErrDestination = errors.New("not a destination")
	// ErrUsed means that a Session had been used, or closed, before.
	ErrUsed = errors.New("session already used")
)

// Error is how a dial through an endpoint failed, for people:
//
//	dial example.com:443 via 198.51.100.7:1080: connection refused (reply 5)
//	connect 198.51.100.7:1080: connection timed out
//
// It holds no secret, but it names the destination: keep it out of logs where
// destinations do not belong.
type Error struct {
	// Op is the phase that failed.
	Op policy.Phase
	// Endpoint is the endpoint's name.
	Endpoint string
	// Destination is what was asked for; empty before Request.
	Destination string
	// Reply is the endpoint's answer if that is what failed, else zero.
	Reply Reply
	// Err is the cause. If Reply is not zero it is Reply.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Destination != "" {
		return "dial " + e.Destination + " via " + e.Endpoint + ": " + cause(e.Err)
	}
	return e.Op.String() + " " + e.Endpoint + ": " + cause(e.Err)
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// cause is an error's text without the addresses and the system calls that the
// net package puts before it.
func cause(err error) string {
	var sys *os.SyscallError
	if errors.As(err, &sys) && sys.Err != nil {
		return sys.Err.Error()
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	if err == nil {
		return "unknown cause"
	}
	return err.Error()
}
