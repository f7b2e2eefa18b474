// Package study runs simulated worlds for many seeds, in virtual time, and adds up
// what came of them.
//
// A [Scenario] is a world by name, with its [Setting]s and what it measures. [Run]
// plays it for each seed on as many cores as there are: every seed is a world of its
// own, whose luck is named by the seed (package draw) and by nothing else, so that
// neither the number of workers nor their order shows in a result. A [Record] keeps
// the results in a directory as they come, so that a study that was interrupted goes
// on where it was.
//
// What worlds are made of lies below: package draw for luck, package events for what
// is still to happen, package stat for intervals and lifetimes, package theory for
// what is known without any simulation. Package compat is a world: that of a published
// simulator, faults and all, to be held against.
package study
