// Package relay is the data path: SOCKS5 in, endpoint out.
//
// A client connects to the relay and asks for a destination. The relay takes a
// lease from the pool, which orders the endpoints for this client, and reaches
// the destination through the first endpoint that works. The relay never
// resolves a destination's name and never dials a destination itself, whatever
// fails.
//
// # The dial
//
// TCP connect and SOCKS5 negotiation are the endpoint's phases. An attempt that
// fails in them is followed by the next at once; one that is slow gets company:
// 1, 1, 2, 4, 8 attempts, one such batch per hedge delay, all racing until the
// first is ready. The losers run on to their own end, because a cancelled dial
// teaches nothing. CONNECT is the destination's phase: its slowness is no
// evidence, and a failure reply gets a second opinion through another endpoint
// before the client hears of it. When everything has been tried, requests wait
// together and go on together when any endpoint answers, until their patience
// ends.
//
// # Warm connections
//
// For an active endpoint that clients ask for, a few connections are kept that
// are open and negotiated, as many as the demand asks for and [Config].Warm
// allows. A request on one of them has its first byte after two round trips. A new
// connection is opened beside it in the same moment: it replaces the one that was
// taken; should that turn out to be dead, the request goes on with it; and it is a
// fresh handshake that tells a slow destination from a lost endpoint. The client
// hears of success when the endpoint has said so, as ever.
//
// An endpoint that ends a connection at rest has an idle limit, which is learned
// and kept. What else happens to connections at rest has the endpoint examined,
// and never more.
//
// # The stream
//
// Until the first byte from the destination has been handed to the client, what
// the client has sent is kept. If the endpoint fails in that time, and what was
// sent may be repeated without harm (see [Replay]), it is replayed over another
// endpoint and the client does not notice. An end that comes twice is taken for
// the destination's only if the endpoints that it came through still answer a
// fresh greeting. After the first byte, bytes are moved by splice(2) where the
// kernel has it.
//
// One goroutine looks at all open streams, by the kernel's own counters, and
// tells the pool of paths that have gone silent. It never cuts a stream: only
// the pool's verdict on an endpoint does, and only that endpoint's streams. A
// stream that ends by error or by a cut ends with RST at the client, so that
// nobody takes half a body for a whole one.
//
// # Goroutines
//
// Every goroutine belongs to a [Server], which waits for all of them in
// [Server.Shutdown] and [Server.Close]. A stream costs two, a warm connection one.
package relay
