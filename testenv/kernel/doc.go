// Package kernel is a network on Linux network namespaces: connections are the
// kernel's, and what a blocker does to them, nftables does.
//
// A [Network] has one namespace for its middle, where all clouds and
// destinations live: any address of a [Network.Route] can be a [Host] there,
// and one at which there is none is silent. Each [Vantage] is an ISP: a
// namespace for its customers, and one for its border, which forwards between
// the customers and the middle:
//
//	customers ── border ──┐
//	  (Vantage.Host)      ├── middle (Network.Host)
//	customers ── border ──┘
//
// The rules of a [blocker.RuleSet] become nftables rules in the border. They
// change on live traffic, in one transaction. What is taken is told to an
// [Observer]. nftables sees packets, and no names: a rule for host names is
// refused with an [UnsupportedError], as is all that this kernel lacks.
//
// What differs from the blocker of the memory world, which can do all that a
// RuleSet says: a reset answers the sender of the packet that was taken, so that
// each end is reset by its own next packet; a freeze counts selective
// acknowledgements as payload, and what another rule or a captive network takes of a
// flow, and drops the packet that crosses the limit whole; one that goes by packets
// counts from when the rule comes; a policer's bucket holds a second's worth at least;
// a rule with ports or a probability is about TCP alone. There is room for 1<<20 flows
// under a rule, and for as many servers in what is counted: beyond that, packets pass
// uncounted. And links take no time, so that an ICMP rejection is there before connect(2)
// has returned: over IPv6, where Linux then only notes it, a dial fails with the
// second SYN, after a second.
//
// It needs no program beside this one, and no privilege where a user may make
// user namespaces: see [Main]. Where nothing of that is allowed, and on other
// systems than Linux, [Supported] says what is missing.
//
// The interfaces of the world carry one segment at a time, as a wire does. The
// kernel would hand over trains of up to 64 KiB, which no blocker in the field
// ever sees: a freeze after 16 KiB would let nothing through.
package kernel
