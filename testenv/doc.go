// Package testenv is a world to test against: clouds whose addresses are being
// blocked, the networks that block them, and the truth of what happened. It is
// for any program that has to stay connected, as httptest is for any that
// speaks HTTP.
//
// A [World] holds everything below, and has one seed. A [Cloud] owns prefixes
// and launches endpoints in them at fresh addresses; tenants, the innocent,
// live there too. A [Host] is an address that listens: an endpoint, a
// destination, a machine of your own. An [ISP] is a vantage: programs under
// test dial through its DialContext, and what crosses its border is subject to
// its rules. A rule ([blocker.Rule]) says when and what: drop, reset, reject,
// freeze after some bytes, police to a rate. Rules are added, removed and
// replaced while traffic flows. The world's registry is a block list in the
// manner of a country: what is listed is applied by each ISP, each with its own
// lag. The [Ledger] is the truth: bytes, connections, blocked attempts, which
// flows lost packets and when, endpoints burnt, innocents hit, money. Judge by
// it, not by what the program under test believes.
//
// All of that can be made call by call, or read from a file: see
// [github.com/paperplane-relay/paperplane/testenv/scenario].
//
// A destination has a name that only endpoints resolve. Whoever dials one from
// an ISP does so in the open, and the ledger tells.
//
// By default everything runs in memory, without privileges, on any system; see
// [github.com/paperplane-relay/paperplane/testenv/memnet] for what a connection
// does. Addresses look routable because nothing leaves the process. It works in
// real time and inside a testing/synctest bubble, where a simulated hour takes
// a moment: create the world inside the bubble, and close it before the bubble
// ends.
//
// The same world runs on Linux's own TCP and nftables, in network namespaces
// that it makes for itself, so that what memory believes can be checked and
// programs in any language can live in it: [Config].Backend, or
// PAPERPLANE_WORLD=kernel in the environment. It needs the right to make
// namespaces, real time, and [kernel.Main] in TestMain, which gets that right
// for an ordinary user.
package testenv
