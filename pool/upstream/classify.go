package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

// Classify says what an error of this package, or of reading from and writing
// to a connection of it, is evidence of:
//
//	Answered  no error
//	None      the caller cancelled, or closed the connection
//	Refused   the endpoint's reply to CONNECT was an error
//	Denied    the endpoint refused the credentials, or that there were none
//	Garbage   the answer was not SOCKS5
//	Local     our own host failed: no network, descriptors, ports, memory,
//	          permission, or name resolution; and every error not known here
//	Rejected  ICMP said that there is no way
//	Reset     RST, at whatever time
//	Silent    a time limit, ours or the kernel's, passed without an answer
//	Closed    the other side closed before it had answered
func Classify(err error) policy.Outcome {
	if err == nil {
		return policy.Answered
	}
	if reply, ok := errors.AsType[Reply](err); ok {
		if reply == Succeeded {
			return policy.Answered
		}
		return policy.Refused
	}
	// A resolver's timeout is no endpoint's silence.
	var dns *net.DNSError
	var errno syscall.Errno
	switch {
	case errors.Is(err, ErrDenied):
		return policy.Denied
	case errors.Is(err, ErrProtocol):
		return policy.Garbage
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return policy.None
	case errors.As(err, &dns):
		return policy.Local
	case errors.As(err, &errno):
		return classifyErrno(errno)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return policy.Silent
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return policy.Closed
	}
	return policy.Local
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
