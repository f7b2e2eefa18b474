// Package nft speaks to Linux's nftables, by netlink: it makes tables, chains,
// sets and rules in one transaction, and reads sets and counters back. It knows
// as much of that language as a blocker needs, all in the family inet, which is
// IPv4 and IPv6.
//
// A [Batch] is a transaction: all of it takes effect at one moment, or nothing
// does. A rule is a list of expressions ([Expr]) that are evaluated from left
// to right and pass values to each other in registers ([Reg]); the first that
// does not hold ends the rule.
//
// The library for this, github.com/google/nftables, was looked at first, in its
// version 0.3.0. It sends no direction with a flow's bytes and packets, without
// which nothing can be counted one way, and nobody outside it can add an
// expression; it numbers sets by a variable that two worlds in one process would
// race for; and it neither splits what is longer than a netlink message nor says
// which order of a transaction the kernel refused.
package nft
