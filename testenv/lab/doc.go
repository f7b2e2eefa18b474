// Package lab is the demonstration: a relay, real and unaltered, in a world
// whose addresses are being blocked, all in one process.
//
// A [Scenario] is data: clouds and their prefixes, endpoints and tenants in
// them, ISPs, and dated acts of the blocker. [April2018] is the one that comes
// with it. A [Lab] builds the world of a scenario, compresses its dates into a
// run of seconds or minutes, starts one relay for each ISP, keeps them under
// load, plays the acts, and ends with a [Report].
//
// Clients and destination are real as well: crypto/tls and HTTP over the relays'
// SOCKS5 ports, which never ask twice. The first ISP's port is the caller's
// listener, so that anything else may go through it meanwhile, such as
//
//	curl -x socks5h://127.0.0.1:1080 http://telegram.lab/
//
// Whether a request had to succeed is judged by the world, which knows what
// every ISP blocks, and never by what a pool believes. A [State] is a picture of
// a moment; [Board] draws it for a terminal, [Lines] for a log.
//
// The lab lives in real time. For virtual time use testenv itself, in a
// testing/synctest bubble.
package lab
