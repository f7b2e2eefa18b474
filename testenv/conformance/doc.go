// Package conformance holds the two backends of testenv against each other: the
// network in memory, which is what we believe of networks, and the kernel's, which
// is one.
//
// Its table has for each case a [Trouble] (a rule, an outage, a machine that fails) and the
// [Moment] at which it begins, and what each side of a connection sees of it then:
// how its stream ends, when, and after how many bytes. What is expected is stated
// once, as the kernel does it; both backends are measured against the same row. Where memory is known to do otherwise, the
// row says how, and why.
//
// Times are compared by their order of magnitude: at once, about a second, silence
// for as long as one looks. A busy machine can make anything late, so on a kernel
// what must come is waited for, and what came late is played again, alone.
//
// A [FlowCase] compares what the transport tells of a stream that has stopped, an
// [ErrorCase] which error comes first and what comes after it; a [LossCase] how long
// requests take where packets are lost by lot. A [Report] plays it all, and writes it
// as text.
package conformance
