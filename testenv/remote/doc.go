// Package remote gives a [testenv.World] to other processes: an HTTP API on a
// unix socket, so that a test written in any language can block, look into the
// ledger, and run programs inside.
//
// A [Server] serves a world, a [Client] speaks to one. Everything is JSON, and
// strict: what the server does not know, it refuses. An error comes as
// {"error": "..."} in words for people.
//
//	GET    /v1/world                  what is where
//	DELETE /v1/world                  end it
//	GET    /v1/ledger                 the truth so far
//	GET    /v1/registry               what is listed now
//	POST   /v1/registry               list prefixes, or strike them off
//	GET    /v1/isps/{isp}/rules       the rules in force there
//	POST   /v1/isps/{isp}/rules       add one
//	PUT    /v1/isps/{isp}/rules       put others in their place
//	DELETE /v1/isps/{isp}/rules/{id}  remove one
//	PUT    /v1/isps/{isp}/cut         take the ISP's network down
//	DELETE /v1/isps/{isp}/cut         bring it back
//	POST   /v1/hosts                  launch an endpoint, or take a bare machine
//	DELETE /v1/hosts/{address}        give it back
//	POST   /v1/programs               run a program at an ISP or on a host
//
// The socket lies in a directory that only its owner can enter, has the mode
// 0600, and the kernel is asked who connects: only the user who runs the world is
// served. Root is refused too, where the world is another user's; who is root can
// become that user. A client asks the same of the server, before it sends
// anything. The server runs what it is told to: a socket that others could use
// would let them act as its owner.
package remote
