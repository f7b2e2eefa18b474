// Package blocker is the pure core of a network blocker: what it knows of a
// flow, which rule concerns it, and what happens to its next packet.
//
// A [Flow] is one TCP connection through the border of one ISP. A [Packet] is
// one event of it, in one [Direction]. A [Rule] says [When] it concerns a flow
// and, by an [Action], what to do to it. Rules live in a [RuleSet], which is
// immutable and numbered: a flow asks itself once for each generation which
// rules reach it, and a flow that none reaches costs a comparison and an
// addition for each packet. What a flow has done so far (bytes, names shown,
// tokens left) is in the flow, never in a rule: two flows under one rule know
// nothing of each other, but for a [Residue], which remembers for a while whom
// a rule has struck.
//
// Rules can be written one by one. A censor on the scale of a country keeps a
// block list instead: the [Registry] holds prefixes with the dates at which
// they were listed and struck off, and each ISP applies it with a lag of its
// own. What writes a registry is a [Strategy], a step function of what has been
// observed and when: [Script] plays dated orders, [Escalation] widens from
// addresses to prefixes as hits gather, [Reaction] lists what it sees days later.
//
// Nothing here has a clock, a goroutine or a network. Whoever attaches it, to
// connections in memory, to nftables or to an abstract simulation, brings time
// and packets and carries out decisions.
package blocker
