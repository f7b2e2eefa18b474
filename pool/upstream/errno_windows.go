package upstream

import (
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/paperplane-relay/paperplane/pool/policy"
)

func classifyErrno(e syscall.Errno) policy.Outcome {
	switch e {
	// Both the codes of Windows and those that package syscall invents for
	// POSIX's names, which in-memory networks use.
	case windows.WSAECONNREFUSED, windows.WSAECONNRESET, windows.WSAECONNABORTED, windows.WSAENETRESET,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE:
		return policy.Reset
	case windows.WSAEHOSTUNREACH, windows.WSAEHOSTDOWN, syscall.EHOSTUNREACH, syscall.EHOSTDOWN:
		return policy.Rejected
	case windows.WSAETIMEDOUT, syscall.ETIMEDOUT:
		return policy.Silent
	default:
		return policy.Local
	}
}
