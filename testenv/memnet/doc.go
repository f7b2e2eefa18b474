// Package memnet is a network in memory: connections with TCP addresses that
// behave towards their users as a kernel's do, on good paths and on bad ones.
//
// A [Network] joins hosts. A [Host] has one address; it listens and dials. What
// lies between two hosts is a [Path]: the time a packet takes on either side of
// a [Border], and the border itself, which sees every packet and says what
// happens to it. A [Conn] is one end of a connection.
//
// What is simulated is what can be seen through a socket: the three-way
// handshake, retransmission with backoff, the time limits of Linux, the buffers
// that make a write block, flow control, half-closed connections, RST for
// unread data, lingering after Close, keep-alive and zero-window probes, the
// errors' errno values, what TCP_INFO counts. A packet is decided on at the
// moment it is sent; a train of segments sent at one moment is one packet, which
// a border can split at any byte. Nothing overtakes anything.
//
// On a good path there is no congestion control: bandwidth is without limit,
// latency is constant. A [Line] makes a path bad by itself: it gets longer, or
// unsteady; segments get lost, by lot or in bursts ([Loss]); or they wait before
// a bottleneck that all its connections share, and overflow it ([Queue]). Where
// segments can get lost, a sender learns of it by what is acknowledged behind
// them, about a round trip later, or by its timer, after 200 ms and a round trip,
// doubling. It keeps no more under way than makes it as fast as a long transfer
// is under that loss (Mathis et al., 1997); before a bottleneck it has a
// congestion window besides, with slow start (RFC 5681). It has no tail loss
// probe, and never sends again for nothing unless an acknowledgement was lost. So
// of small answers more have to wait for its timer than on Linux (of 4 KiB under 5 %
// loss, 15 % against 7 to 11), of 64 KiB as many, and of long ones fewer.
//
// Package testenv/conformance holds all this against the kernel's own TCP.
//
// Time is time.Now and timers, so a network works in real time and inside a
// testing/synctest bubble; make it inside the bubble that uses it. It has no
// goroutines. An idle connection has no timer.
package memnet
