package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// resolveListen resolves the address of a listener once, so that what is
// checked to be on loopback is also what is listened on.
func resolveListen(address string) (*net.TCPAddr, error) {
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--listen %s: %w", address, err)
	}
	return a, nil
}

// onLoopback reports whether only this machine can reach a listener on a. An
// address without an IP listens on all of them.
func onLoopback(a *net.TCPAddr) bool { return a.IP != nil && a.IP.IsLoopback() }

// listen opens the port.
func listen(ctx context.Context, a *net.TCPAddr) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.String())
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	return l, nil
}

// server is what relay.Server and exit.Server have in common.
type server interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
	Close() error
}

// errCut says that the end of the drain time was the end of some streams too.
var errCut = errors.New("streams that were still open have been cut")

// serve runs s on l until ctx ends, then gives open streams the drain time to
// end by themselves. It returns errCut if some did not, and the server's own
// error if it failed before. It always closes l, and returns after s has ended.
func serve(ctx context.Context, s server, l net.Listener, drain time.Duration) error {
	var failed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		failed = s.Serve(l)
	}()
	select {
	case <-ended:
		return errors.Join(failed, s.Close())
	case <-ctx.Done():
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := s.Shutdown(bound)
	<-ended
	if err != nil {
		return errCut
	}
	return nil
}
