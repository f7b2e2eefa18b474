// Package lab is the demonstration: a relay, real and unaltered, in a world
// whose addresses are being blocked, all in one process.
//
// A [scenario.Scenario] is data: clouds and their prefixes, endpoints and tenants
// in them, ISPs, and what happens when. A [Lab] sets one up in a world in memory,
// compresses its dates into a run of seconds or minutes, starts one relay for each
// ISP, keeps them under load, lets happen what does, and ends with a [Report].
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
