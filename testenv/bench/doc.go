// Package bench measures a SOCKS relay: how much it carries, how many
// connections a second it makes, what it costs, and how lean an idle stream is.
//
// A [Contender] is a relay to measure, a process of its own. It stands between
// the client, which is this process, and an [Upstream], a third process that is
// as cheap as can be: it answers a greeting and a CONNECT with fixed bytes, and
// then is the destination itself.
//
//	client ─SOCKS5─> contender ─SOCKS5─> upstream, which is the destination
//	client ─SOCKS5─> upstream                              ("straight")
//
// A contender that knows no upstream dials the destination; one that knows no
// SOCKS passes on what it gets. The client does the same with all of them.
//
// A [Bench] runs rounds. In each of them every contender has its turn, with a
// fresh process and a fresh upstream, so that what a machine does at one time
// and not at another falls on all of them. What is told are medians of the
// rounds, and medians of the ratios to "straight" in the same round: times are
// noisy on a busy machine, ratios less so.
//
// CPU time is the kernel's account of each process (user and system). On
// loopback a packet is received in the time of the process that sent it, so that
// a part of the client's cost is the relay's and the other way round.
//
// It all takes place on loopback, within the limits that the system sets to
// this process, and on Linux only.
package bench
