//go:build !windows

package upstream

import (
	"syscall"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

func classifyErrno(e syscall.Errno) policy.Outcome {
	switch e {
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE:
		return policy.Reset
	// What Linux makes of ICMP: host, port or protocol unreachable, and
	// "administratively prohibited".
	case syscall.EHOSTUNREACH, syscall.EHOSTDOWN, syscall.ENOPROTOOPT:
		return policy.Rejected
	case syscall.ETIMEDOUT:
		return policy.Silent
	default:
		// ENETUNREACH, ENETDOWN, EMFILE, ENFILE, EADDRNOTAVAIL, ENOBUFS, ENOMEM,
		// EACCES, EPERM, and whatever else a socket may say of its own host.
		return policy.Local
	}
}
