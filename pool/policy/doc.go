// Package policy is the pure core of the pool: what an endpoint is, what can be
// seen of it, and what to conclude.
//
// An endpoint is described by a [Spec]. What happens to it arrives as
// [Evidence]: one observation, with when it was seen and when the question it
// answers was put on the wire. When evidence raises doubt, the endpoint is
// examined, and an [Examination] says what came of that. A [Group] holds the
// [State] of every endpoint of one relay, moves it as evidence and examinations
// come in, and says what to do next. What it concludes of one endpoint it believes
// of the neighbours as well, up to a point ([Belief]).
//
// # How it judges
//
// What clients see is free and comes first, but it only raises doubt: requests that
// are late, flows that stop, refusals that others do not share. A doubt has the
// endpoint examined at once, and keeps requests away from it as soon as there is
// more of it than is usual there ([Group] remembers false alarms and [Loss]).
//
// A verdict rests on an examination. That an endpoint does not answer takes at least
// five independent failures in a row, and as many as make it no chance on a path
// that loses packets ([Enough]); a witness, another endpoint or control that
// answered at the same time; and patience, since a path may have become slow. If it
// is well when seen through another endpoint ([View]) it is blocked, and the way in
// which it failed says how; if not, it is down; without a view that stays open
// ([Conclude]). That flows stop takes five that did, of clients and of
// examinations together, while greetings are answered. That they are slowed down
// takes another through which the same goes many times as fast, twice. Where an
// endpoint carries nothing that can be downloaded it takes less, since
// nothing better is to be had: two flows that stop and stay so, or three requests
// that it refuses and others grant.
//
// Flows to one destination that stop at several endpoints are the destination's
// trouble, or that of a rule about its name. What is blocked speaks of its
// neighbours ([Belief]), what is down does not. What blockers renew with each
// attempt is left alone for as long as they do (1, 3 and 10 min), and what comes
// and goes is tried more and more seldom.
//
// Everything here is a function of values and a given time. There is no
// goroutine, clock, network or lock, and only the standard library is imported,
// so the same code decides in a running relay, in a test's virtual time, and in
// a simulation of a million clients. No type of this package is safe for
// concurrent use unless its comment says so.
package policy
