package relay

import (
	"context"
	"net"
)

// Listen opens a TCP listener for [Server.Serve] that spares it work on each
// connection: keep-alive is inherited from the listener, and where the kernel
// can do it, on Linux, a connection is handed over only when its client has said
// something, or after about a second. Any other listener serves as well.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	bequeath(&lc)
	// Clients are near: what several paths would be good for is not here, and
	// the kernel does more for such a listener.
	lc.SetMultipathTCP(false)
	return lc.Listen(ctx, "tcp", address)
}
