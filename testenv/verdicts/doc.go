// Package verdicts holds a relay's judgement against the truth. A [Case] is a
// world, what happens in it, and what is true of an endpoint then; [Play] runs it
// once, from a seed, with the relay, the pool and the prober as the program wires
// them, and reads what the pool says. What is right is decided by the case and by
// the world's ledger alone, never by what the pool believes.
//
// [Cases] is the table, as data. A [Matrix] adds runs up: how often each truth is
// told for what it is, at each level of loss, with Wilson's interval; how long it
// takes; and what it costs those that are well. It is written as text and as an
// SVG heat map.
//
// Play must be called in a testing/synctest bubble, where its minutes take a
// moment; the package's tests do that, for a few seeds of each case or, asked to,
// for all of them.
package verdicts
