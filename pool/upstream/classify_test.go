package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/paperplane-relay/paperplane/pool/policy"
	"github.com/paperplane-relay/paperplane/pool/upstream"
)

func TestClassify(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want policy.Outcome
	}{
		{nil, policy.Answered},
		{context.Canceled, policy.None},
		{net.ErrClosed, policy.None},
		{context.DeadlineExceeded, policy.Silent},
		{os.ErrDeadlineExceeded, policy.Silent},
		{syscall.ETIMEDOUT, policy.Silent},
		{syscall.ECONNREFUSED, policy.Reset},
		{syscall.ECONNRESET, policy.Reset},
		{syscall.EPIPE, policy.Reset},
		{syscall.EHOSTUNREACH, policy.Rejected},
		{io.EOF, policy.Closed},
		{io.ErrUnexpectedEOF, policy.Closed},
		{io.ErrClosedPipe, policy.Closed},
		{upstream.ErrProtocol, policy.Garbage},
		{upstream.ErrDenied, policy.Denied},
		{upstream.HostUnreachable, policy.Refused},
		{upstream.Reply(200), policy.Refused},
		{syscall.ENETUNREACH, policy.Local},
		{syscall.ENETDOWN, policy.Local},
		{syscall.EMFILE, policy.Local},
		{syscall.ENFILE, policy.Local},
		{syscall.EADDRNOTAVAIL, policy.Local},
		{syscall.ENOBUFS, policy.Local},
		{syscall.ENOMEM, policy.Local},
		{syscall.EACCES, policy.Local},
		{syscall.EPERM, policy.Local},
		{&net.DNSError{Err: "timeout", IsTimeout: true}, policy.Local},
		{upstream.ErrDestination, policy.Local},
		{upstream.ErrUsed, policy.Local},
		{errors.New("something else"), policy.Local},
	} {
		wrapped := &upstream.Error{Op: policy.Connect, Endpoint: "a:1", Err: &net.OpError{Op: "dial", Err: tc.err}}
		if got := upstream.Classify(tc.err); got != tc.want {
			t.Errorf("%v is %v, want %v", tc.err, got, tc.want)
		}
		if tc.err == nil {
			continue
		}
		for _, err := range []error{wrapped, fmt.Errorf("more: %w", wrapped), &net.OpError{Op: "read", Err: os.NewSyscallError("read", tc.err)}} {
			if got := upstream.Classify(err); got != tc.want {
				t.Errorf("%v is %v, want %v", err, got, tc.want)
			}
		}
	}
}
