// Package probe examines endpoints: whether they answer, and whether they
// carry enough data to show a path that freezes flows after some kilobytes. A
// check that fetches a status code never sees that: the handshake and the
// first 12 to 24 KB pass.
//
// [Prober] implements the pool's Prober. What it is asked for is a depth:
// policy.Greet is a few handshakes at once, of which one has to be answered;
// policy.Carry goes on with CONNECT and a download from a target.
//
// The first target is one that endpoints of our own serve by themselves
// (ReservedHost). Others are configured, and they fail too: a failure counts
// against an endpoint only if the target is known, from another endpoint, to
// be well. Nothing is retried beyond that, and nothing is remembered but the
// round-trip time of each endpoint and the health of each target.
package probe
