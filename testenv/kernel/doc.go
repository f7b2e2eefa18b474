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
// It needs no program beside this one, and no privilege where a user may make
// user namespaces: see [Main]. Where nothing of that is allowed, and on other
// systems than Linux, [Supported] says what is missing.
//
// The interfaces of the world carry one segment at a time, as a wire does. The
// kernel would hand over trains of up to 64 KiB, which no blocker in the field
// ever sees: a freeze after 16 KiB would let nothing through.
package kernel
