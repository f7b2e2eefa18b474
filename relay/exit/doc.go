// Package exit is an endpoint: a SOCKS5 server (RFC 1928, RFC 1929) that dials
// out directly, to be put where the network is free.
//
//	s := &exit.Server{Users: map[string]string{"me": "secret"}}
//	l, err := net.Listen("tcp", ":1080")
//	...
//	err = s.Serve(l) // until s.Shutdown or s.Close
//
// It serves CONNECT only; names are resolved here, which is the point of them.
//
// What keeps it from being a hole: a listener that is not on loopback needs
// users or an allow-list of clients before it starts; and the addresses that are
// dialled pass a [Guard], which refuses every special-purpose address and the
// machine's own ones, so that nobody reaches the cloud's metadata service or the
// machine's private network through it.
//
// A client has [Server].NegotiateTimeout for greeting and authentication, and
// then [Server].RequestTimeout for its request: relays keep negotiated
// connections in store. There is no limit on how long a stream may be silent;
// keep-alive on both sides finds dead peers, and a stream of which one half is
// closed ends after [Server].HalfClosedTimeout of silence.
//
// Another endpoint's public address is a destination like others: so a relay can
// see through one endpoint whether another runs. Reply 5 says that its port is
// closed, 4 that there is no way to it, 6 that it was silent for
// [Server].DialTimeout; 2 and 1 say nothing of it.
//
// The destination probe.ReservedHost is answered here, without dialling, so
// that a pool of these endpoints can be examined without a third party.
//
// Names and addresses of destinations are logged at debug level only.
package exit
