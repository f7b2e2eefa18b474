// Package upstream speaks to endpoints: it reads them from URLs, connects,
// negotiates, asks for destinations, and says what a failure means.
//
// A dial has three phases, and each is a call of its own, so that the caller can
// time them, hedge them, and keep the result of the first two for later:
//
//	c, err := dialer.Connect(ctx, spec)            // TCP
//	s, err := dialer.Negotiate(ctx, c, spec)       // greeting, authentication
//	stream, err := s.Request(ctx, "example.com:443") // CONNECT
//
// The stream is the very connection that Connect returned. Nothing is wrapped
// around it and nothing beyond the endpoint's reply has been read from it, so
// a *net.TCPConn can be spliced and half-closed.
//
// The SOCKS5 protocol itself (RFC 1928, RFC 1929) is spoken by
// golang.org/x/net/proxy. This package lays a thin conn under it that sees the
// bytes go by, which is where typed errors come from.
//
// Beside the dialer stand the few things that the data path needs to ask of a
// socket: [ReadFlow], [KeepAlive], [Tune] and [Abort]. Each looks for a method
// on the connection before it looks for a kernel socket, so that an in-memory
// network can take part.
package upstream
