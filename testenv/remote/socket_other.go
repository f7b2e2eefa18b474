//go:build !linux

package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Listen fails: it needs Linux, where the kernel tells who connects.
func Listen(string) (net.Listener, error) {
	return nil, fmt.Errorf("world's socket: needs Linux: %w", errors.ErrUnsupported)
}

// End ends the world at a socket. It needs Linux.
func End(_ context.Context, path string) error { return errNoWorld(path) }

func owned(string) bool { return false }

func stranger(net.Conn) error { return nil }

func dial(_ context.Context, path string) (net.Conn, error) {
	return nil, errNoWorld(path)
}
