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
// Everything here is a function of values and a given time. There is no
// goroutine, clock, network or lock, and only the standard library is imported,
// so the same code decides in a running relay, in a test's virtual time, and in
// a simulation of a million clients. No type of this package is safe for
// concurrent use unless its comment says so.
package policy
